import { create } from "@bufbuild/protobuf";
import { type User as UserMessage, UserSchema } from "../../gen/signet/v1/user_pb.ts";
import type { Caller } from "../model/caller.ts";
import { Failure, invalidField } from "../model/failure.ts";

/** Seen under every projection: without them no Mirror could apply a change. */
const ALWAYS = new Set([
  "id",
  "site_id",
  "version",
  "state",
  "create_time",
  "update_time",
  "delete_time",
]);

/** Stands for a projection that shows no more than what is always seen. */
const ALWAYS_SEEN = "id";

const FIELDS = new Map(UserSchema.fields.map((field) => [field.name, field.localName]));

/** The projection of a caller: names of fields of User, sorted; empty: all of them. */
export function projectionOf(caller: Caller): readonly string[] {
  return caller.kind === "site_key" ? caller.userFields : [];
}

/** Reads a projection. @throws {Failure} `invalid_field` for an unknown name. */
export function parseUserFields(names: readonly string[], field: string): string[] {
  for (const name of names) {
    if (!FIELDS.has(name)) throw invalidField(field, "must hold names of fields of User");
  }
  const chosen = [...new Set(names)].filter((name) => !ALWAYS.has(name)).sort();
  // Nothing but what is always seen is little, and not everything.
  return names.length > 0 && chosen.length === 0 ? [ALWAYS_SEEN] : chosen;
}

/** Removes the fields that a projection hides; the message itself is left as it is. */
export function projectUser(user: UserMessage, projection: readonly string[]): UserMessage {
  if (projection.length === 0) return user;
  const shown = create(UserSchema);
  for (const [name, localName] of FIELDS) {
    if (ALWAYS.has(name) || projection.includes(name)) {
      Object.assign(shown, { [localName]: user[localName as keyof UserMessage] });
    }
  }
  return shown;
}

/** Refuses a look-up by a field that the caller may not see. @throws {Failure} `access_denied` */
export function requireVisible(caller: Caller, name: string): void {
  const projection = projectionOf(caller);
  if (projection.length > 0 && !ALWAYS.has(name) && !projection.includes(name)) {
    throw new Failure("access_denied");
  }
}
