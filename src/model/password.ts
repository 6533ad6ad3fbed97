import { Failure, invalidField } from "./failure.ts";
import { LIMITS } from "./limits.ts";
import { type Secret, secret } from "./secret.ts";
import { codePointCount, normalizeText } from "./text.ts";

/** No composed text of the longest password needs more: NFC joins at most a few code units. */
const RAW_LENGTH_MAX = 8 * LIMITS.passwordCodePointsMax;

/**
 * Reads a password that is to be set, in Unicode form NFC.
 *
 * Any characters will do, from `codePointsMin` (a setting of the Site) to 256 code points; no
 * space is trimmed. Length comes first, so that a huge text costs nothing.
 *
 * @throws {Failure} `password_rejected` for its length, `invalid_field` for what is no text;
 *   both name `field`.
 */
export function parseNewPassword(
  text: string,
  field: string,
  { codePointsMin }: { readonly codePointsMin: number },
): Secret {
  const rejected = (problem: string) => new Failure("password_rejected", { field, problem });
  const password = parseBounded(text, field, rejected);
  if (codePointCount(password) < codePointsMin) {
    throw rejected(`must have at least ${codePointsMin} characters`);
  }
  return secret(password);
}

/**
 * Reads a password that is to be checked, in the form in which it was set.
 *
 * Only the upper bound holds here: the rules for new passwords may have changed since, and an
 * attacker learns nothing of them.
 *
 * @throws {Failure} `invalid_field`, naming `field`.
 */
export function parsePasswordAttempt(text: string, field: string): Secret {
  const tooLong = (problem: string) => invalidField(field, problem);
  return secret(parseBounded(text, field, tooLong));
}

function parseBounded(text: string, field: string, tooLong: (problem: string) => Failure): string {
  const problem = `must have at most ${LIMITS.passwordCodePointsMax} characters`;
  if (text === "") throw invalidField(field, "is required");
  if (text.length > RAW_LENGTH_MAX) throw tooLong(problem);
  const password = normalizeText(text, field);
  if (codePointCount(password) > LIMITS.passwordCodePointsMax) throw tooLong(problem);
  return password;
}
