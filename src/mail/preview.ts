import { MAIL_PLACEHOLDERS, type MailKind, type MailTexts } from "../model/mail-template.ts";
import type { OneTimePurpose } from "../model/one-time.ts";
import { secret } from "../model/secret.ts";
import { parseHttpUrl } from "../model/url.ts";
import type { MailContent } from "./mailer.ts";
import { newDeviceMessage } from "./messages/new-device.ts";
import { LINK_MAILS, NOTICES } from "./messages-by-kind.ts";

/** What a mail would be written with. */
export interface PreviewData {
  readonly siteName: string;
  /** Empty: Signet's own. */
  readonly accentColor: string;
  /** Where the button leads, in place of the page that the mail would name; empty: nowhere. */
  readonly frontendUrl: string;
  /** The reader's locale, then the Site's; empty ones are passed over. */
  readonly locales: readonly string[];
  /** The Site's own words for this mail. */
  readonly templates: readonly (MailTexts & { readonly locale: string })[];
  /** For how long the link of each kind of mail works. */
  readonly lifetimeSeconds: Readonly<Record<OneTimePurpose, number>>;
  /** When the login from a new device was. */
  readonly time: Date;
}

/** By RFC 2606 and RFC 5737 these belong to nobody. */
const NO_PAGE = "https://example.com/";
const NO_ADDRESS = "192.0.2.1";

/**
 * Writes the mail of a kind as a User would read it, with a token that is none.
 *
 * @throws {RangeError} for a word that is no kind of mail.
 */
export function previewMail(word: string, given: PreviewData): MailContent {
  const mail = kindOf(word);
  const { siteName, accentColor, locales, lifetimeSeconds, time } = given;
  const loginUrl = parseHttpUrl(given.frontendUrl || NO_PAGE, "url", { plainAllowed: true });
  const templates = given.templates.map((template) => ({ ...template, mail }));
  const data = { siteName, accentColor, locales, templates, loginUrl };
  if (mail === "new_device") return newDeviceMessage({ ...data, ip: NO_ADDRESS, time });
  if (!isLinkMail(mail)) return NOTICES[mail](data);
  return LINK_MAILS[mail]({
    ...data,
    pageOf: () => loginUrl,
    token: secret("preview"),
    lifetimeSeconds: lifetimeSeconds[mail],
  });
}

function kindOf(word: string): MailKind {
  const kind = (Object.keys(MAIL_PLACEHOLDERS) as MailKind[]).find((known) => known === word);
  if (kind) return kind;
  throw new RangeError(`${word} is no mail that this Signet sends`);
}

function isLinkMail(mail: MailKind): mail is OneTimePurpose {
  return Object.hasOwn(LINK_MAILS, mail);
}
