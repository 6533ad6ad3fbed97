/**
 * The languages in which mails are written, as BCP 47 tags; the first serves everyone else.
 *
 * To add one, name it here: no message compiles until it has the words in that language.
 */
export const LANGUAGES = ["en", "de"] as const;

/** A language in which mails are written. */
export type Language = (typeof LANGUAGES)[number];

/** Writes a length of time in words: whole days, else whole hours, else minutes. */
export function durationInWords(locale: string, seconds: number): string {
  const [unit, length] =
    seconds >= 172_800 && seconds % 86_400 === 0
      ? (["day", 86_400] as const)
      : seconds % 3_600 === 0
        ? (["hour", 3_600] as const)
        : (["minute", 60] as const);
  const options = { style: "unit", unit, unitDisplay: "long" } as const;
  return new Intl.NumberFormat(locale, options).format(Math.floor(seconds / length));
}
