import type { Secret } from "../model/secret.ts";
import type { HttpUrl } from "../model/url.ts";
import { chooseLanguage, durationInWords, type Language } from "./language.ts";
import { layOut, type MailWords } from "./layout.ts";
import { oneTimeLink } from "./link.ts";
import type { MailContent } from "./mailer.ts";

/**
 * What every mail is made of.
 *
 * The User's own words are never among it: whoever registers the address of another must not be
 * able to write to them in the name of the Site.
 */
export interface MailData {
  readonly siteName: string;
  /** The User's locale, then the Site's. */
  readonly locales: readonly (string | undefined)[];
}

/** A mail with a link that holds a one-time token. */
export interface LinkMailData extends MailData {
  /** The Site's page that takes the token. */
  readonly pageUrl: HttpUrl;
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
  return ({ siteName, locales, pageUrl, token, lifetimeSeconds }) => {
    const language = chooseLanguage(...locales);
    const link = oneTimeLink(pageUrl, token);
    const lifetime = durationInWords(language, lifetimeSeconds);
    return layOut(language, siteName, words[language]({ siteName, link, lifetime }));
  };
}

/** Makes the function that writes a mail that tells what has happened. */
export function noticeMessage<Data extends NoticeMailData>(
  words: Words<Data>,
): (data: Data) => MailContent {
  return (data) => {
    const language = chooseLanguage(...data.locales);
    return layOut(language, data.siteName, words[language](data));
  };
}
