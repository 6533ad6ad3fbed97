/**
 * The languages in which mails are written, as BCP 47 tags; the first serves everyone else.
 *
 * To add one, name it here: no message compiles until it has the words in that language.
 */
export const LANGUAGES = ["en", "de"] as const;

/** A language in which mails are written. */
export type Language = (typeof LANGUAGES)[number];

/** Returns the language of the first locale that mails are written in; else English. */
export function chooseLanguage(...locales: readonly (string | undefined)[]): Language {
  for (const locale of locales) {
    const [primary] = (locale ?? "").toLowerCase().split("-");
    const language = LANGUAGES.find((known) => known === primary);
    if (language) return language;
  }
  return LANGUAGES[0];
}

/** Writes a length of time in words: whole days, else whole hours, else minutes. */
export function durationInWords(language: Language, seconds: number): string {
  const [unit, length] =
    seconds >= 172_800 && seconds % 86_400 === 0
      ? (["day", 86_400] as const)
      : seconds % 3_600 === 0
        ? (["hour", 3_600] as const)
        : (["minute", 60] as const);
  const options = { style: "unit", unit, unitDisplay: "long" } as const;
  return new Intl.NumberFormat(language, options).format(Math.floor(seconds / length));
}
