import { type Failure, invalidField } from "./failure.ts";
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
 * @throws {Failure} `invalid_field`, naming `field`.
 */
export function parseNewPassword(
  text: string,
  field: string,
  { codePointsMin }: { readonly codePointsMin: number },
): Secret {
  const password = parseBounded(text, field);
  if (codePointCount(password) < codePointsMin) {
    throw invalidField(field, `must have at least ${codePointsMin} characters`);
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
  return secret(parseBounded(text, field));
}

function parseBounded(text: string, field: string): string {
  if (text === "") throw invalidField(field, "is required");
  if (text.length > RAW_LENGTH_MAX) throw tooLong(field);
  const password = normalizeText(text, field);
  if (codePointCount(password) > LIMITS.passwordCodePointsMax) throw tooLong(field);
  return password;
}

function tooLong(field: string): Failure {
  return invalidField(field, `must have at most ${LIMITS.passwordCodePointsMax} characters`);
}
