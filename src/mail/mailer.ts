import type { EmailAddress } from "../model/email-address.ts";

/** Who a mail comes from. */
export interface MailSender {
  /** Shown beside the address; may be empty. */
  readonly name: string;
  readonly address: EmailAddress;
}

/** What a mail says, made from data by a function of `mail/messages/`. */
export interface MailContent {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** The language of the texts, as a BCP 47 tag. */
  readonly language: string;
  /** The link to follow, if the mail asks for that; it is in the texts too. */
  readonly link: string | undefined;
}

/** A mail to one recipient. */
export interface MailMessage {
  /**
   * Names the mail: letters, digits, dots and hyphens. The `Message-ID` is made of it, so that
   * a mail sent again after a crash is recognised as the same.
   */
  readonly id: string;
  readonly from: MailSender;
  readonly to: EmailAddress;
  readonly content: MailContent;
}

/** Sends mails. */
export interface Mailer {
  /**
   * Hands the mail over; once this returns, delivery is the business of the next server.
   *
   * @throws {MailError} if the next server did not take it.
   */
  send(message: MailMessage): Promise<void>;
  /**
   * Checks that the server can be reached and lets us in.
   *
   * @throws {MailError} if not.
   */
  verify(): Promise<void>;
  /** Closes the connections. */
  close(): void;
}

/** A mail was not taken. The message names no address, so it may be logged. */
export class MailError extends Error {
  /** Whether trying again is useless, as for a recipient who does not exist. */
  readonly permanent: boolean;

  constructor(problem: string, { permanent }: { readonly permanent: boolean }) {
    super(problem);
    this.name = "MailError";
    this.permanent = permanent;
  }
}

const MAIL_ID = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,98}[A-Za-z0-9])?$/;

/**
 * Returns the `Message-ID` of a mail (RFC 5322 §3.6.4), the same each time.
 *
 * @throws {Error} if the mail's id has other characters or more than 100.
 */
export function messageIdOf({ id, from }: MailMessage): string {
  if (!MAIL_ID.test(id) || id.includes("..")) throw new Error("the mail's id is malformed");
  const domain = from.address.slice(from.address.lastIndexOf("@") + 1);
  return `<${id}@${domain}>`;
}
