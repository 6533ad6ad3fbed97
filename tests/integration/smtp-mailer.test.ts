import { text } from "node:stream/consumers";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { describe, expect, test } from "vitest";
import { MailError, type MailMessage } from "../../src/mail/mailer.ts";
import { verifyEmailMessage } from "../../src/mail/messages/verify-email.ts";
import { createSmtpMailer } from "../../src/mail/smtp-mailer.ts";
import { parseEmailAddress } from "../../src/model/email-address.ts";
import { secret } from "../../src/model/secret.ts";
import { parseHttpUrl } from "../../src/model/url.ts";

const message: MailMessage = {
  id: "job-42",
  from: { name: "Zürich “Tools”", address: parseEmailAddress("no-reply@example.com", "from") },
  to: parseEmailAddress("ada@example.com", "to"),
  content: verifyEmailMessage({
    siteName: "Zürich Tools",
    accentColor: "",
    pageOf: () => parseHttpUrl("https://app.example.com/verify", "url"),
    token: secret("sgn_ot_abc"),
    lifetimeSeconds: 86_400,
    locales: ["de"],
  }),
};

interface Received {
  readonly recipients: readonly string[];
  readonly source: string;
  /** Header lines, unfolded. */
  readonly headers: readonly string[];
}

/** A real SMTP server on a free port, and what it was handed. */
async function startSmtpServer(options: SMTPServerOptions = {}) {
  const received: Received[] = [];
  const server = new SMTPServer({
    disabledCommands: ["AUTH", "STARTTLS"],
    onData: (stream, session, done) => {
      const recipients = session.envelope.rcptTo.map(({ address }) => address);
      text(stream).then((source) => {
        received.push({ recipients, source, headers: headersOf(source) });
        done();
      }, done);
    },
    ...options,
  });
  server.on("error", () => {}); // Clients that end a conversation in the middle.
  const listening = Promise.withResolvers<void>();
  const listener = server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const address = listener.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    port,
    received,
    url: `smtp://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

function headersOf(source: string): readonly string[] {
  const [head = ""] = source.split("\r\n\r\n", 1);
  return head.replace(/\r\n[ \t]+/g, " ").split("\r\n");
}

/** Sends one mail with a mailer of its own. */
async function send(url: string, mail: MailMessage = message): Promise<void> {
  const mailer = createSmtpMailer({ url: secret(url), timeoutMs: 1_000 });
  try {
    await mailer.send(mail);
  } finally {
    mailer.close();
  }
}

const rejection = (sending: Promise<void>) =>
  sending.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("SMTP mailer", () => {
  test("hands over text and HTML, to one recipient, under a Message-ID of its own", async () => {
    await using server = await startSmtpServer();

    await send(server.url);
    await send(server.url);

    expect(server.received).toHaveLength(2);
    for (const { recipients, source, headers } of server.received) {
      expect(recipients).toEqual(["ada@example.com"]);
      expect(headers).toContain("Message-ID: <job-42@example.com>");
      expect(headers).toContain("To: ada@example.com");
      expect(headers).toContain("Auto-Submitted: auto-generated");
      expect(headers).toContain("Content-Language: de");
      expect(source).toContain("Content-Type: multipart/alternative");
      expect(source).toContain("Content-Type: text/plain; charset=utf-8");
      expect(source).toContain("Content-Type: text/html; charset=utf-8");
    }
  });

  test("encodes subject and sender's name", async () => {
    await using server = await startSmtpServer();

    await send(server.url);

    const [mail] = server.received;
    const subject = mail?.headers.find((line) => line.startsWith("Subject: ")) ?? "";
    expect(subject).toMatch(/^[\x20-\x7e]+$/);
    expect(decodeWords(subject)).toBe(`Subject: ${message.content.subject}`);
    const from = mail?.headers.find((line) => line.startsWith("From: ")) ?? "";
    expect(decodeWords(from)).toBe("From: Zürich “Tools” <no-reply@example.com>");
  });

  test.each(["\r\n", "\n", "\r", "\r\n\r\n", "\u2028", "\0"])(
    "lets no line break %j in subject, name or language become a header",
    async (lineBreak) => {
      await using server = await startSmtpServer();
      const evil = `x${lineBreak}Bcc: eve@example.com${lineBreak}X-Evil: 1`;
      const content = { ...message.content, subject: evil, language: evil };

      await send(server.url, { ...message, from: { ...message.from, name: evil }, content });

      const [mail] = server.received;
      expect(mail?.recipients).toEqual(["ada@example.com"]);
      expect(mail?.headers.filter((line) => /^(bcc|x-evil)\s*:/i.test(line))).toEqual([]);
      expect(mail?.source.match(/^bcc:/gim)).toBeNull();
    },
  );

  test("keeps lines with a single dot, which end a mail", async () => {
    await using server = await startSmtpServer();
    const content = { ...message.content, text: "one\n.\ntwo\n..\nthree\n" };

    await send(server.url, { ...message, content });

    expect(server.received[0]?.source).toContain("one\r\n.\r\ntwo\r\n..\r\nthree");
  });

  test.each([
    [550, true],
    [552, true],
    [450, false],
    [530, false],
  ])("says of a recipient refused with %i that this is final: %s", async (status, permanent) => {
    await using server = await startSmtpServer({
      onRcptTo: ({ address }, _session, done) =>
        done(Object.assign(new Error(`no ${address} here`), { responseCode: status })),
    });

    const error = await rejection(send(server.url));

    expect(error).toBeInstanceOf(MailError);
    expect(error).toMatchObject({ permanent, message: `mail: EENVELOPE, status ${status}` });
    expect(JSON.stringify(error) + String(error)).not.toContain("ada");
  });

  test("tries again later when the server refuses the content for now", async () => {
    await using server = await startSmtpServer({
      onData: (stream, _session, done) => {
        stream.resume();
        stream.on("end", () => done(Object.assign(new Error("full"), { responseCode: 452 })));
      },
    });

    expect(await rejection(send(server.url))).toMatchObject({ permanent: false });
  });

  test("fails, not for good, when no server listens", async () => {
    const server = await startSmtpServer();
    await server[Symbol.asyncDispose]();

    const error = await rejection(send(server.url));

    expect(error).toBeInstanceOf(MailError);
    expect(error).toMatchObject({ permanent: false });
  });

  test("gives up on a server that does not greet", async () => {
    await using server = await startSmtpServer({ onConnect: () => {} });

    expect(await rejection(send(server.url))).toMatchObject({ permanent: false });
  });

  test("refuses to go on in clear text where TLS is required", async () => {
    await using server = await startSmtpServer();

    expect(await rejection(send(`${server.url}?requireTLS=true`))).toMatchObject({
      permanent: false,
    });
    expect(server.received).toEqual([]);
  });

  test("does not trust a certificate that nobody has signed", async () => {
    await using server = await startSmtpServer({ disabledCommands: ["AUTH"] });

    expect(await rejection(send(server.url))).toBeInstanceOf(MailError);
    await send(`${server.url}?tls.rejectUnauthorized=false`);
    expect(server.received).toHaveLength(1);
  });

  test("logs in with the name and password of the URL, and says nothing of them", async () => {
    const logins: unknown[] = [];
    await using server = await startSmtpServer({
      disabledCommands: ["STARTTLS"],
      allowInsecureAuth: true,
      onAuth: ({ username, password }, _session, done) => {
        logins.push([username, password]);
        if (password === "p@ss word") done(null, { user: username });
        else done(new Error("wrong password"));
      },
    });
    const urlWith = (password: string) =>
      `smtp://mailer:${encodeURIComponent(password)}@127.0.0.1:${server.port}`;

    await send(urlWith("p@ss word"));
    const error = await rejection(send(urlWith("guess-1234")));

    expect(logins).toContainEqual(["mailer", "p@ss word"]);
    expect(error).toMatchObject({ permanent: false });
    expect(JSON.stringify(error) + String(error)).not.toContain("guess-1234");
  });

  test("verifies that the server can be reached", async () => {
    await using server = await startSmtpServer();
    const mailer = createSmtpMailer({ url: secret(server.url), timeoutMs: 1_000 });

    await mailer.verify();
    mailer.close();

    const away = createSmtpMailer({ url: secret("smtp://127.0.0.1:1"), timeoutMs: 1_000 });
    await expect(away.verify()).rejects.toBeInstanceOf(MailError);
    away.close();
  });

  test.each([["http://127.0.0.1/"], ["nonsense"], ["smtp://127.0.0.1/?logger=true"]])(
    "does not start with the URL %s",
    (url) => {
      expect(() => createSmtpMailer({ url: secret(url) })).toThrow(/^the SMTP URL/);
    },
  );
});

/** Decodes the encoded words of RFC 2047, of which neighbours join without the space. */
function decodeWords(header: string): string {
  return header
    .replace(/\?=\s+=\?/g, "?==?")
    .replace(/=\?utf-8\?([bq])\?([^?]*)\?=/gi, (_, encoding: string, word: string) =>
      encoding.toLowerCase() === "b"
        ? Buffer.from(word, "base64").toString("latin1")
        : word
            .replaceAll("_", " ")
            .replace(/=([0-9a-f]{2})/gi, (_match, hex: string) =>
              String.fromCharCode(Number.parseInt(hex, 16)),
            ),
    )
    .replace(/[\x80-\xff]+/g, (bytes) => Buffer.from(bytes, "latin1").toString());
}
