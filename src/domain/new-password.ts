import { isCommonPassword } from "../crypto/common-passwords.ts";
import { Failure } from "../model/failure.ts";
import { parseNewPassword } from "../model/password.ts";
import {
  CONTEXT_PROBLEM,
  isMadeOfContext,
  type PasswordContext,
} from "../model/password-context.ts";
import type { Secret } from "../model/secret.ts";
import type { Site } from "../model/site.ts";
import type { Deps } from "./deps.ts";

/**
 * Reads a password that is to be set on a Site.
 *
 * @throws {Failure} `password_rejected` for its length, or because guessers try it first;
 *   `invalid_field` for what is no text. Both name `field`.
 */
export async function readNewPassword(
  { breachedPasswords }: Deps,
  { passwordLengthMin: codePointsMin }: Site,
  text: string,
  field: string,
): Promise<Secret> {
  const password = parseNewPassword(text, field, { codePointsMin });
  if (isCommonPassword(password)) throw rejected(field, "is among the first to be guessed");
  if (await breachedPasswords?.includes(password)) throw rejected(field, "is known from a breach");
  return password;
}

/**
 * Checks a new password against the names of the Site and the User, once it is known whose it is.
 *
 * @throws {Failure} `password_rejected`, naming `field`.
 */
export function refuseNames(password: Secret, field: string, context: PasswordContext): void {
  if (isMadeOfContext(password, context)) throw rejected(field, CONTEXT_PROBLEM);
}

function rejected(field: string, problem: string): Failure {
  return new Failure("password_rejected", { field, problem });
}
