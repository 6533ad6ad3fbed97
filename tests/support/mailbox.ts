import { text } from "node:stream/consumers";
import { SMTPServer } from "smtp-server";
import type { TestService } from "./service.ts";
import { until } from "./waiting.ts";

/** A mail as it has arrived. */
export interface ReceivedMail {
  readonly to: string;
  /** Name and address of the sender, as they stand in the mail. */
  readonly from: string;
  readonly subject: string;
  /** Empty: it has none. */
  readonly link: string;
  /** The one-time token of its link; empty: it has none. */
  readonly token: string;
}

/** A mail as a mail server was handed it. */
export interface SmtpMail extends ReceivedMail {
  /** All of it, with lines and signs as they were before the encoding. */
  readonly source: string;
}

/** A real mail server on a free port, and what it was handed. */
export interface SmtpMailbox extends AsyncDisposable {
  readonly url: string;
  readonly mails: readonly SmtpMail[];
}

/** Starts a mail server. */
export async function startSmtpMailbox(): Promise<SmtpMailbox> {
  const mails: SmtpMail[] = [];
  const server = new SMTPServer({
    disabledCommands: ["AUTH", "STARTTLS"],
    onData(stream, session, done) {
      const to = session.envelope.rcptTo[0]?.address ?? "";
      text(stream).then((source) => {
        mails.push({ to, ...readSource(source) });
        done();
      }, done);
    },
  });
  server.on("error", () => undefined); // Clients that are killed in the middle.
  const listening = Promise.withResolvers<void>();
  const listener = server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const address = listener.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

/** Reads the mails that a service without a mail server has printed. */
export function printedMails(service: Pick<TestService, "stdout">): ReceivedMail[] {
  const [, ...mails] = service.stdout().split("mail, printed and not sent:\n");
  return mails.map((mail) => ({
    to: /^ {2}to: +(.+)$/m.exec(mail)?.[1] ?? "",
    from: /^ {2}from: +(.+)$/m.exec(mail)?.[1] ?? "",
    subject: /^ {2}subject: (.+)$/m.exec(mail)?.[1] ?? "",
    ...linkIn(mail),
  }));
}

/** Waits for the first mail to an address. */
export async function mailTo<Mail extends ReceivedMail>(
  mails: () => readonly Mail[],
  address: string,
): Promise<Mail> {
  return await until(() => mails().find(({ to }) => to === address));
}

function readSource(source: string): Omit<SmtpMail, "to"> {
  const unfolded = source.replace(/\r\n[ \t]+/g, " ");
  // Quoted-printable (RFC 2045 §6.7) breaks lines and writes `=` as `=3D`.
  const body = source.replace(/=\r\n/g, "").replace(/=3D/g, "=");
  return {
    from: /^From: (.+)$/m.exec(unfolded)?.[1] ?? "",
    subject: /^Subject: (.+)$/m.exec(unfolded)?.[1] ?? "",
    ...linkIn(body),
    source: body,
  };
}

function linkIn(body: string): Pick<ReceivedMail, "link" | "token"> {
  const [link = "", token = ""] = /https?:\/\/[^\s"<]+[?&]token=(sgn_ot_[\w-]+)/.exec(body) ?? [];
  return { link, token };
}
