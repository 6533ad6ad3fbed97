import { type Mailer, type MailMessage, messageIdOf } from "./mailer.ts";

/**
 * Creates the mailer for development: it prints each mail instead of sending it.
 *
 * What it prints has the one-time token in it, so it is not for production.
 */
export function createLogMailer(print: (text: string) => void): Mailer {
  return {
    async send(message) {
      messageIdOf(message); // Malformed ids are found in development too.
      print(toPrint(message));
    },
    async verify() {},
    close() {},
  };
}

function toPrint({ from, to, content }: MailMessage): string {
  const lines = [
    "mail, printed and not sent:",
    `from:    ${from.name} <${from.address}>`,
    `to:      ${to}`,
    `subject: ${content.subject}`,
    ...(content.link === undefined
      ? content.text.trimEnd().split("\n")
      : [`link:    ${content.link}`]),
  ];
  return lines.join("\n  ");
}
