import { invalidField } from "./failure.ts";
import { LIMITS } from "./limits.ts";

/** `user` and `admin` are built in; a Site's apps agree on the others. */
const ROLE = /^[a-z0-9._:-]{1,64}$/;

/** All roles together go into each access token, which has at most 4 KiB. */
const ROLES_LENGTH_MAX = 1_024;

/**
 * Reads the roles of a User and returns them sorted, without repeats.
 *
 * At most 32, each 1 to 64 of `a-z 0-9 . _ : -`, together at most 1,024 characters.
 *
 * @throws {Failure} `invalid_field`, naming `field`.
 */
export function parseRoles(texts: readonly string[], field: string): string[] {
  if (texts.length > LIMITS.rolesMax)
    throw invalidField(field, `must be at most ${LIMITS.rolesMax}`);
  if (!texts.every((text) => ROLE.test(text))) {
    throw invalidField(field, "must each have 1 to 64 of a-z 0-9 . _ : -");
  }
  if (texts.join().length > ROLES_LENGTH_MAX) {
    throw invalidField(field, `must have at most ${ROLES_LENGTH_MAX} characters together`);
  }
  return [...new Set(texts)].sort();
}
