import { createTransport } from "nodemailer";
import { LIMITS } from "../model/limits.ts";
import type { Secret } from "../model/secret.ts";
import { MailError, type Mailer, type MailMessage, messageIdOf } from "./mailer.ts";

/** Where mails are handed over. */
export interface SmtpOptions {
  /**
   * `smtps://user:password@host:465` for TLS from the start; `smtp://…:587` upgrades where the
   * server offers it, and `?requireTLS=true` refuses to go on without. The other parameters
   * are `name` (for EHLO), `tls.servername` and `tls.rejectUnauthorized`.
   */
  readonly url: Secret;
  /** For each step of the conversation; 10 s unless given. */
  readonly timeoutMs?: number;
}

/** The library reads more of them; `logger` would print mails and passwords. */
const URL_PARAMETERS: readonly string[] = [
  "requireTLS",
  "name",
  "tls.servername",
  "tls.rejectUnauthorized",
];

/**
 * Creates the mailer that speaks SMTP, over at most five connections that it keeps.
 *
 * @throws {Error} if the URL has another scheme or an unknown parameter.
 */
export function createSmtpMailer({ url, timeoutMs = LIMITS.mailTimeoutMs }: SmtpOptions): Mailer {
  const transport = createTransport({
    url: checkSmtpUrl(url.reveal()),
    pool: true,
    maxConnections: LIMITS.mailConnectionsMax,
    maxMessages: LIMITS.mailsPerConnectionMax,
    maxRequeues: 1, // The server may just have closed a connection kept for too long.
    dnsTimeout: timeoutMs,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send(message) {
      await withMailErrors(() => transport.sendMail(toSmtp(message)));
    },
    async verify() {
      await withMailErrors(() => transport.verify());
    },
    close: () => transport.close(),
  };
}

function checkSmtpUrl(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol !== "smtp:" && url?.protocol !== "smtps:") {
    throw new Error("the SMTP URL must begin with smtp:// or smtps://");
  }
  const unknown = url.searchParams.keys().find((name) => !URL_PARAMETERS.includes(name));
  if (unknown !== undefined) throw new Error("the SMTP URL has an unknown parameter");
  return text;
}

/** Addresses are given as objects, which are not parsed as header lists are. */
function toSmtp(message: MailMessage) {
  const { from, to, content } = message;
  return {
    messageId: messageIdOf(message),
    envelope: { from: from.address, to: [to] },
    from: { name: from.name, address: from.address },
    to: { name: "", address: to },
    subject: content.subject,
    text: content.text,
    html: content.html,
    headers: {
      "Auto-Submitted": "auto-generated", // RFC 3834 §5: no holiday notice comes back.
      "Content-Language": content.language,
    },
  };
}

/** The library's errors hold addresses, answers of the server and settings; ours do not. */
async function withMailErrors(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw toMailError(error instanceof Error ? error : new Error());
  }
}

function toMailError(error: Error & { code?: unknown; responseCode?: unknown }): MailError {
  const code = typeof error.code === "string" ? error.code : "unknown error";
  const status = Number(error.responseCode ?? 0);
  const permanent = (code === "EENVELOPE" || code === "EMESSAGE") && isRefusal(status);
  return new MailError(status === 0 ? `mail: ${code}` : `mail: ${code}, status ${status}`, {
    permanent,
  });
}

/** Other codes of 500 and above tell of our own settings, such as 530, and may be put right. */
function isRefusal(status: number): boolean {
  return status >= 550 && status <= 559;
}
