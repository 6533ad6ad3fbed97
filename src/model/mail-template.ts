import { invalidField } from "./failure.ts";
import { LIMITS } from "./limits.ts";
import { codePointCount, normalizeText, parseLocale, parseText } from "./text.ts";

/** The mails that Signet sends, each with the names that its words may put in braces. */
export const MAIL_PLACEHOLDERS = {
  verify_email: ["site", "lifetime"],
  reset_password: ["site", "lifetime"],
  accept_invitation: ["site", "lifetime"],
  change_email: ["site", "lifetime"],
  email_changed: ["site"],
  email_change_taken: ["site"],
  registered_already: ["site"],
  new_device: ["site", "time", "ip"],
  password_changed: ["site"],
  mfa_changed: ["site"],
  recovery_codes_changed: ["site"],
  account_locked: ["site"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** A mail that Signet sends. */
export type MailKind = keyof typeof MAIL_PLACEHOLDERS;

/** The texts of a mail; one that is empty stays as Signet has it. */
export interface MailTexts {
  readonly subject: string;
  /** Paragraphs with an empty line between them. */
  readonly opening: string;
  readonly button: string;
  readonly closing: string;
}

/** What one kind of mail says in one language, in place of Signet's own words. */
export interface MailTemplate extends MailTexts {
  readonly mail: MailKind;
  /** A canonical BCP 47 tag. */
  readonly locale: string;
}

/** A template as it is kept. */
export interface StoredMailTemplate extends MailTemplate {
  readonly updateTime: Date;
}

const TEXT_LENGTH_MAX = 2_000;
const BUTTON_LENGTH_MAX = 60;
const PLACEHOLDER = /\{([^{}]*)\}/g;

/** What a text of several lines must not have; see `parseText`, which refuses line breaks too. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

/**
 * Reads a template.
 *
 * @throws {Failure} `invalid_field`, also for a name in braces that the mail does not have.
 */
export function parseMailTemplate(
  mail: MailKind,
  { locale, subject, opening, button, closing }: MailTexts & { readonly locale: string },
): MailTemplate {
  const template = {
    mail,
    locale: parseLocale(locale, "template.locale"),
    subject: parseText(subject, "template.subject", { max: LIMITS.nameLengthMax }),
    opening: parseParagraphs(opening, "template.opening"),
    button: parseText(button, "template.button", { max: BUTTON_LENGTH_MAX }),
    closing: parseParagraphs(closing, "template.closing"),
  };
  for (const part of ["subject", "opening", "button", "closing"] as const) {
    checkPlaceholders(mail, template[part], `template.${part}`);
  }
  return template;
}

/** Puts values in place of the names in braces; a name without one stays as it stands. */
export function fillPlaceholders(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(PLACEHOLDER, (whole, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? whole) : whole,
  );
}

function parseParagraphs(value: string, field: string): string {
  const text = normalizeText(value, field).replaceAll("\r\n", "\n").trim();
  if (codePointCount(text) > TEXT_LENGTH_MAX) {
    throw invalidField(field, `must have at most ${TEXT_LENGTH_MAX} characters`);
  }
  if (UNPRINTABLE.test(text.replaceAll("\n", ""))) {
    throw invalidField(field, "must not have control characters");
  }
  return text;
}

function checkPlaceholders(mail: MailKind, text: string, field: string): void {
  const known: readonly string[] = MAIL_PLACEHOLDERS[mail];
  for (const [whole, name = ""] of text.matchAll(PLACEHOLDER)) {
    if (known.includes(name)) continue;
    const names = known.map((each) => `{${each}}`).join(", ");
    throw invalidField(field, `has ${whole.slice(0, 32)}, and this mail has only ${names}`);
  }
}
