import type { MailTemplate } from "../model/mail-template.ts";
import type { Secret } from "../model/secret.ts";
import type { HttpUrl } from "../model/url.ts";
import { durationInWords, LANGUAGES, type Language } from "./language.ts";
import { layOut, type MailSite, type MailWords } from "./layout.ts";
import { oneTimeLink } from "./link.ts";
import type { MailContent } from "./mailer.ts";
import { chooseWords, inSiteWords } from "./site-words.ts";

/**
 * What every mail is made of.
 *
 * The User's own words are never among it: whoever registers the address of another must not be
 * able to write to them in the name of the Site.
 */
export interface MailData extends MailSite {
  /** The User's locale, then the Site's. */
  readonly locales: readonly (string | undefined)[];
  /** The Site's own words for this mail, in its languages; none: Signet's. */
  readonly templates?: readonly MailTemplate[];
}

/** A mail with a link that holds a one-time token. */
export interface LinkMailData extends MailData {
  /** Returns the page that takes the token, for the language of the mail. */
  readonly pageOf: (locale: string) => HttpUrl;
  readonly token: Secret;
  readonly lifetimeSeconds: number;
}

/** A mail that tells what has happened. */
export interface NoticeMailData extends MailData {
  /** The Site's page to log in at; undefined leaves the button out. */
  readonly loginUrl: HttpUrl | undefined;
}

/** The words of a mail in every language. */
export type Words<Parts> = Readonly<Record<Language, (parts: Parts) => MailWords>>;

/** What the words of a mail with a link may use. */
export interface LinkParts {
  readonly siteName: string;
  readonly link: string;
  /** How long the link works, such as “24 hours”. */
  readonly lifetime: string;
}

/** Makes the function that writes a mail with a link. */
export function linkMessage(words: Words<LinkParts>): (data: LinkMailData) => MailContent {
  return (data) => {
    const { siteName, locales, templates = [], pageOf, token, lifetimeSeconds } = data;
    const chosen = chooseWords(locales, templates);
    const { locale, language = LANGUAGES[0] } = chosen;
    const link = oneTimeLink(pageOf(locale), token);
    const lifetime = durationInWords(locale, lifetimeSeconds);
    const own = words[language]({ siteName, link, lifetime });
    return layOut(locale, data, inSiteWords(own, chosen, { site: siteName, lifetime }));
  };
}

/**
 * Makes the function that writes a mail that tells what has happened. `valuesOf` gives what the
 * Site's own words may name besides the Site.
 */
export function noticeMessage<Data extends NoticeMailData>(
  words: Words<Data>,
  valuesOf: (data: Data, locale: string) => Readonly<Record<string, string>> = () => ({}),
): (data: Data) => MailContent {
  return (data) => {
    const { siteName, locales, templates = [] } = data;
    const chosen = chooseWords(locales, templates);
    const { locale, language = LANGUAGES[0] } = chosen;
    const values = { ...valuesOf(data, locale), site: siteName };
    return layOut(locale, data, inSiteWords(words[language](data), chosen, values));
  };
}
