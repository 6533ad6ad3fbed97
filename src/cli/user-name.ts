import type { UserRef } from "../../gen/signet/v1/user_pb.ts";
import type { SignetClient } from "../client/index.ts";
import { UsageError } from "./context.ts";
import { present } from "./options.ts";

/** What names one User, as `UserRef` has it. */
export type UserName = Exclude<UserRef["ref"], { case: undefined }>;

/** What an argument that names a User is said to be. */
export const USER_ARGUMENT = [
  "<user>",
  "the User: its id, its e-mail address, its username, or external-id:<id>",
] as const;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const PREFIXES: ReadonlyMap<string, UserName["case"]> = new Map([
  ["id", "id"],
  ["email", "email"],
  ["username", "username"],
  ["external-id", "externalId"],
]);

/**
 * Reads what a person calls a User: a UUID is an id, what has an `@` an address, and anything else
 * a username. A prefix such as `external-id:` says it outright; no username has a colon.
 *
 * @throws {UsageError} where it is empty, or has another prefix.
 */
export function parseUserName(text: string): UserName {
  const colon = text.indexOf(":");
  const named = PREFIXES.get(text.slice(0, Math.max(colon, 0)));
  const value = named ? text.slice(colon + 1) : text;
  if (value === "") throw new UsageError("<user> is empty");
  if (named) return { case: named, value };
  if (UUID.test(text)) return { case: "id", value };
  if (text.includes("@")) return { case: "email", value };
  if (colon < 0) return { case: "username", value };
  const prefixes = [...PREFIXES.keys()].map((prefix) => `${prefix}:`).join(", ");
  throw new UsageError(`<user> may begin with one of ${prefixes}`);
}

/** Returns the id of the User, asking Signet for it where another name is given. */
export async function findUserId(
  { users }: SignetClient,
  site: string | undefined,
  name: UserName,
): Promise<string> {
  if (name.case === "id") return name.value;
  const { user } = await users.lookupUser({ ...present({ siteId: site }), user: { ref: name } });
  return user?.id ?? "";
}

/** Returns the ids of Users, in the order of their names. */
export async function findUserIds(
  client: SignetClient,
  site: string | undefined,
  names: readonly UserName[],
): Promise<string[]> {
  return await Promise.all(names.map((name) => findUserId(client, site, name)));
}
