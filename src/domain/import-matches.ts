import type { User } from "../model/user.ts";
import type { ImportRow } from "../model/user-import.ts";
import type { ImportNames } from "../store/user-imports.ts";

/** The Users that have a name of one of the rows. */
export interface FoundUsers {
  /** Finds the User that a row is about: by id, else by external id, else by address. */
  match(row: ImportRow): User | undefined;
  byEmail(email: string | undefined): User | undefined;
  byUsername(username: string | undefined): User | undefined;
  byExternalId(externalId: string | undefined): User | undefined;
}

/** Makes what was found ready to be asked. */
export function indexUsers(users: readonly User[]): FoundUsers {
  const byName = new Map<string, User>();
  for (const user of users) for (const name of namesOf(user)) byName.set(name, user);
  const find = (kind: NameKind, name: string | undefined) =>
    // Most imports find nobody; then not even a name has to be put together.
    name === undefined || byName.size === 0 ? undefined : byName.get(`${kind}:${name}`);
  return {
    match: ({ id, fields }) =>
      find("id", id) ?? find("external_id", fields.externalId) ?? find("email", fields.email),
    byEmail: (email) => find("email", email),
    byUsername: (username) => find("username", username),
    byExternalId: (externalId) => find("external_id", externalId),
  };
}

/** Returns the names of the rows, to find Users by. */
export function namesToFind(rows: readonly ImportRow[]): ImportNames {
  const isGiven = <T>(name: T | undefined): name is T => name !== undefined;
  return {
    ids: rows.map(({ id }) => id).filter(isGiven),
    externalIds: rows.map(({ fields }) => fields.externalId).filter(isGiven),
    emails: rows.map(({ fields }) => fields.email).filter(isGiven),
    usernames: rows.map(({ fields }) => fields.username).filter(isGiven),
  };
}

/** Returns everything by which a row may meet another one. */
export function namesOfRow({ id, fields }: ImportRow): string[] {
  return namesOf({ id, ...fields });
}

type NameKind = "id" | "external_id" | "email" | "username";

interface Named {
  readonly id?: string | undefined;
  readonly externalId?: string | undefined;
  readonly email?: string | undefined;
  readonly username?: string | undefined;
}

function namesOf(user: Named): string[] {
  const names: string[] = [];
  if (user.id !== undefined) names.push(`id:${user.id}`);
  if (user.externalId !== undefined) names.push(`external_id:${user.externalId}`);
  if (user.email !== undefined) names.push(`email:${user.email}`);
  if (user.username !== undefined) names.push(`username:${user.username}`);
  return names;
}
