import { text } from "node:stream/consumers";
import { SMTPServer } from "smtp-server";

/** A mail server that asks for a password. */
export interface SecretMailbox extends AsyncDisposable {
  /** With the password. */
  readonly url: string;
  /** One-time tokens of the links that were sent, the oldest first. */
  readonly tokens: readonly string[];
}

/** Starts it; whoever comes with another password is sent away. */
export async function startSecretMailbox(password: string): Promise<SecretMailbox> {
  const tokens: string[] = [];
  const server = new SMTPServer({
    allowInsecureAuth: true,
    disabledCommands: ["STARTTLS"],
    onAuth(auth, _session, done) {
      if (auth.password === password) done(null, { user: auth.username });
      else done(new Error("the password is wrong"));
    },
    onData(stream, _session, done) {
      text(stream).then((source) => {
        // Quoted-printable (RFC 2045 §6.7) breaks lines and writes `=` as `=3D`.
        const body = source.replace(/=\r\n/g, "").replace(/=3D/g, "=");
        const token = /[?&]token=(sgn_ot_[\w-]+)/.exec(body)?.[1];
        if (token) tokens.push(token);
        done();
      }, done);
    },
  });
  server.on("error", () => undefined);
  const listening = Promise.withResolvers<void>();
  const listener = server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const address = listener.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    url: `smtp://mailer:${encodeURIComponent(password)}@127.0.0.1:${port}`,
    tokens,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
