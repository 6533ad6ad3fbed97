import { invalidField } from "./failure.ts";
import { LIMITS } from "./limits.ts";

/**
 * What a name must not have: control characters and line separators, which break lines of logs
 * and mails, and the marks that turn the direction of text around, which disguise it.
 */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
const UNPRINTABLE_ALL = new RegExp(UNPRINTABLE.source, "gu");

/** No composed text needs more for a code point: NFC joins at most a few UTF-16 code units. */
const RAW_UNITS = 8;

/** Shorter texts take no time, whatever is in them. */
const MARKED_LENGTH_MIN = 2_048;
/** More than any writing needs: Unicode allows 30 in its stream-safe form (UAX #15 §13). */
const MARKS_IN_A_ROW = /\p{M}{31}/u;

/**
 * Reads a short text for people, such as a name: one line, trimmed, in Unicode form NFC.
 *
 * `max` counts code points. The empty text is allowed unless `required` is set.
 *
 * @throws {Failure} `invalid_field`, naming `field`.
 */
export function parseText(
  value: string,
  field: string,
  { max, required = false }: { readonly max: number; readonly required?: boolean },
): string {
  const tooLong = () => invalidField(field, `must have at most ${max} characters`);
  const trimmed = value.trim();
  if (trimmed.length > RAW_UNITS * max) throw tooLong();
  const text = normalizeText(trimmed, field).trim();
  if (text === "" && required) throw invalidField(field, "is required");
  if (codePointCount(text) > max) throw tooLong();
  if (UNPRINTABLE.test(text)) throw invalidField(field, "must not have control characters");
  return text;
}

/**
 * Returns a text of a stranger's program, such as the name of a browser, fit to be kept and shown:
 * nobody is refused for it, so what {@link parseText} refuses is replaced. At most `max` UTF-16
 * code units are left.
 */
export function printableText(value: string, max: number): string {
  return value.slice(0, max).toWellFormed().replace(UNPRINTABLE_ALL, "\ufffd");
}

/**
 * Reads a language tag of BCP 47, such as `de-AT`, and returns its canonical form.
 *
 * @throws {Failure} `invalid_field`, naming `field`.
 */
export function parseLocale(text: string, field: string): string {
  if (text === "") throw invalidField(field, "is required");
  const locale = text.length <= LIMITS.localeLengthMax ? canonicalLocale(text) : undefined;
  if (locale === undefined) throw invalidField(field, "must be a language tag such as 'de-AT'");
  return locale;
}

/**
 * Returns the text in Unicode form NFC, in which equal texts have equal code points.
 *
 * Marks in a row are sorted, which takes quadratic time: a long text of little else is refused.
 *
 * @throws {Failure} `invalid_field`, also for a lone surrogate: UTF-8 cannot hold one, so two
 *   different texts would become the same bytes.
 */
export function normalizeText(value: string, field: string): string {
  if (!value.isWellFormed()) throw invalidField(field, "must be well-formed Unicode");
  if (value.length > MARKED_LENGTH_MIN && MARKS_IN_A_ROW.test(value)) {
    throw invalidField(field, "must not have more than 30 marks on a letter");
  }
  return value.normalize("NFC");
}

/** Counts the code points of a text, which a person sees as at most that many characters. */
export function codePointCount(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function canonicalLocale(text: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(text)[0];
  } catch {
    return undefined; // A RangeError: the tag is malformed.
  }
}
