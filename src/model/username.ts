import { invalidField } from "./failure.ts";
import { LIMITS } from "./limits.ts";

declare const brand: unique symbol;

/** A name to log in with, in its one canonical form; never an e-mail address. */
export type Username = string & { readonly [brand]: "Username" };

/** Upper case is spelled out: with the flags `iu`, the Kelvin sign would match as a `k`. */
const USERNAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;

/**
 * Reads a username and returns it in lower case.
 *
 * 1 to 64 of the characters a–z, 0–9, dot, underscore and hyphen, the first and the last of
 * them a letter or a digit. As it has no `@`, it never reads as an e-mail address.
 *
 * @throws {Failure} `invalid_field`, naming `field`.
 */
export function parseUsername(text: string, field: string): Username {
  if (text === "") throw invalidField(field, "is required");
  if (text.length > LIMITS.usernameLengthMax) {
    throw invalidField(field, `must have at most ${LIMITS.usernameLengthMax} characters`);
  }
  if (!USERNAME.test(text)) {
    throw invalidField(
      field,
      "must be letters a-z, digits, '.', '_' and '-', and start and end with a letter or digit",
    );
  }
  return text.toLowerCase() as Username;
}
