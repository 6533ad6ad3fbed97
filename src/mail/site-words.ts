import { fillPlaceholders, type MailTemplate, type MailTexts } from "../model/mail-template.ts";
import { LANGUAGES, type Language } from "./language.ts";
import type { MailWords } from "./layout.ts";

/** In which language a mail is written, and whose words it has. */
export interface ChosenWords {
  /** A BCP 47 tag, for the parts of a mail that Signet writes in any language. */
  readonly locale: string;
  /** Signet's own language; absent: it does not have this one. */
  readonly language: Language | undefined;
  readonly template: MailTexts | undefined;
}

/**
 * Chooses the words of a mail: in the first locale for which there are any, be they the Site's or
 * Signet's own; else in English.
 */
export function chooseWords(
  locales: readonly (string | undefined)[],
  templates: readonly MailTemplate[],
): ChosenWords {
  for (const locale of [...locales, LANGUAGES[0]]) {
    if (!locale) continue;
    const tag = locale.toLowerCase();
    const [primary = ""] = tag.split("-");
    const find = (wanted: string) => templates.find((one) => one.locale.toLowerCase() === wanted);
    const template = find(tag) ?? find(primary);
    const language = ownLanguage(template?.locale ?? primary);
    if (template) return { locale: template.locale, language, template };
    if (language) return { locale: language, language, template };
  }
  return { locale: LANGUAGES[0], language: LANGUAGES[0], template: undefined };
}

/** Returns the language of Signet's own words for a locale, if it has them. */
export function ownLanguage(locale: string): Language | undefined {
  const [primary] = locale.toLowerCase().split("-");
  return LANGUAGES.find((known) => known === primary);
}

/**
 * Puts the Site's words in place of Signet's, with the values filled in.
 *
 * The values are text like the words around them: the layout escapes all of it.
 */
export function inSiteWords(
  own: MailWords,
  { language, template }: ChosenWords,
  values: Readonly<Record<string, string>>,
): MailWords {
  if (!template) return own;
  const fill = (text: string) => fillPlaceholders(text, values);
  const { subject, opening, button, closing } = template;
  const kept = language ? own.closing : [];
  return {
    subject: subject ? fill(subject) : own.subject,
    opening: opening ? paragraphs(opening).map(fill) : own.opening,
    button: own.button && (button ? { ...own.button, label: fill(button) } : own.button),
    closing: closing ? paragraphs(closing).map(fill) : kept,
  };
}

function paragraphs(text: string): string[] {
  return text.split(/\n[ \t]*\n\s*/);
}
