import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { SMTPServer } from "smtp-server";

/** A mail server that can be made to keep a mail in its hand. */
export interface FaultMailbox extends AsyncDisposable {
  readonly url: string;
  /** To whom mails have been delivered. */
  readonly delivered: ReadonlySet<string>;
  /** Does not answer the next mail to somebody; resolves when it has come. */
  hold(to: string): Promise<void>;
  /** Whoever is still there is told that the mail has not arrived. */
  release(): void;
}

/** Starts it on a free port. */
export async function startFaultMailbox(): Promise<FaultMailbox> {
  const delivered = new Set<string>();
  let held: { readonly to: string; readonly arrived: () => void } | undefined;
  let refuse: (() => void) | undefined;
  const server = new SMTPServer({
    disabledCommands: ["AUTH", "STARTTLS"],
    onData(stream, session, done) {
      const to = session.envelope.rcptTo[0]?.address ?? "";
      stream.resume().once("end", () => {
        if (held?.to !== to) {
          delivered.add(to);
          return done();
        }
        refuse = () => done(new Error("held"));
        held.arrived();
      });
    },
  });
  server.on("error", () => undefined); // Clients that are killed in the middle.
  const listener = server.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo; // It listens on TCP.
  return {
    url: `smtp://127.0.0.1:${port}`,
    delivered,
    hold: (to) =>
      new Promise((arrived) => {
        held = { to, arrived };
      }),
    release() {
      refuse?.();
      [held, refuse] = [undefined, undefined];
    },
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
