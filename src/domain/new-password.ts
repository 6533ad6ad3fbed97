import { isCommonPassword } from "../crypto/common-passwords.ts";
import { Failure } from "../model/failure.ts";
import { parseNewPassword } from "../model/password.ts";
import type { Secret } from "../model/secret.ts";
import type { Site } from "../model/site.ts";

/**
 * Reads a password that is to be set on a Site.
 *
 * @throws {Failure} `password_rejected` for its length, or because guessers try it first;
 *   `invalid_field` for what is no text. Both name `field`.
 */
export function readNewPassword(
  { passwordLengthMin: codePointsMin }: Site,
  text: string,
  field: string,
): Secret {
  const password = parseNewPassword(text, field, { codePointsMin });
  if (!isCommonPassword(password)) return password;
  throw new Failure("password_rejected", { field, problem: "is among the first to be guessed" });
}
