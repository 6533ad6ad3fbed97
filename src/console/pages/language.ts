/** The languages of the pages; the first serves everyone else. */
export const LANGUAGES = ["en", "de"] as const;

/** A language of the pages. */
export type Language = (typeof LANGUAGES)[number];

const TAGS_MAX = 20;

/**
 * Chooses the language of a page: that of the mail which has led there, else what the browser
 * asks for (RFC 9110 §12.5.4), else the Site's.
 */
export function chooseLanguage(
  ofMail: string,
  acceptLanguage: string,
  ofSite: string | undefined,
): Language {
  for (const tag of [ofMail, ...acceptedTags(acceptLanguage), ofSite ?? ""]) {
    const [primary] = tag.toLowerCase().split("-");
    const known = LANGUAGES.find((language) => language === primary);
    if (known) return known;
  }
  return LANGUAGES[0];
}

/** The most wanted comes first; those of weight 0 are not wanted at all. */
function acceptedTags(acceptLanguage: string): string[] {
  return acceptLanguage
    .split(",", TAGS_MAX)
    .map((range) => {
      const [tag = "", ...parameters] = range.split(";").map((part) => part.trim());
      const weight = parameters.find((parameter) => parameter.startsWith("q="));
      return { tag, weight: weight === undefined ? 1 : Number(weight.slice(2)) };
    })
    .filter(({ weight }) => weight > 0)
    .sort((one, other) => other.weight - one.weight)
    .map(({ tag }) => tag);
}
