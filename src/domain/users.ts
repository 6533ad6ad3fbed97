import type { Caller } from "../model/caller.ts";
import type { UserChangeKind } from "../model/change.ts";
import { Failure } from "../model/failure.ts";
import { newId, type SiteId, type UserId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { newUser, tombstone, type User, type UserRef, type UserSignIn } from "../model/user.ts";
import { eraseAuditPersonal } from "../store/audit-events.ts";
import { deleteCredentials, findSignIn, insertCredentials } from "../store/credentials.ts";
import { deleteEmailChanges } from "../store/email-changes.ts";
import { deleteKnownDevices } from "../store/known-devices.ts";
import { deleteLoginAttempts } from "../store/login-attempts.ts";
import { deleteLoginChallenges } from "../store/login-challenges.ts";
import { deleteOneTimeTokens } from "../store/one-time-tokens.ts";
import { deleteSecondFactor } from "../store/second-factors.ts";
import type { Queryable } from "../store/sql.ts";
import { findUser, findUsers, firstVersion, lockActiveAdmins, lockUser } from "../store/users.ts";
import { hasScope } from "./access.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { forgiveGuesses } from "./guesses.ts";
import { endAllSessions, voidAccessTokens } from "./sessions.ts";
import { saveNewUser, saveUser, write } from "./write.ts";

/** What an administrator sets of a User; in an update, what is present is changed. */
export type UserFields = Partial<
  Pick<
    User,
    | "email"
    | "emailVerified"
    | "username"
    | "displayName"
    | "pictureUrl"
    | "locale"
    | "roles"
    | "externalId"
    | "metadata"
    | "deletionProtected"
  >
>;

/**
 * Creates a User without a password. With an id, a repeat answers with the User as it is.
 *
 * @throws {Failure} `email_taken`, `username_taken`, `external_id_taken`, `id_taken`,
 *   `access_denied`.
 */
export async function createUser(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  id: UserId | undefined,
  fields: UserFields,
): Promise<User> {
  checkEscalation(caller, fields, undefined);
  await deps.sites.get(siteId);
  return await write(deps, siteId, async (tx) => {
    const known = id && (await findUser(tx, siteId, { by: "id", id }));
    if (known) return repeated(known, fields);
    const now = deps.clock.now();
    const version = await firstVersion(tx, siteId);
    const user = newUser({
      ...fields,
      id: id ?? newId<UserId>(now),
      siteId,
      version,
      createTime: now,
    });
    await saveNewUser(deps, tx, user);
    await insertCredentials(tx, siteId, user.id, undefined);
    await recordAct(tx, siteId, caller, { kind: "user.created", subjectId: user.id }, now);
    return user;
  });
}

/** The address tells a repeat from a slip; the rest may have been changed since. */
function repeated(known: User, fields: UserFields): User {
  if (known.email !== fields.email) throw new Failure("id_taken");
  return known;
}

/** @throws {Failure} `user_not_found`, also for a tombstone. */
export async function lookupUser(deps: Deps, siteId: SiteId, ref: UserRef): Promise<User> {
  const user = await deps.db.inSite(siteId, (tx) => findUser(tx, siteId, ref), { readOnly: true });
  if (!user || user.state === "deleted") throw new Failure("user_not_found");
  return user;
}

/** Returns a User and how it signs in. @throws {Failure} `user_not_found` */
export async function getUser(
  deps: Deps,
  siteId: SiteId,
  id: UserId,
): Promise<{ readonly user: User; readonly signIn: UserSignIn | undefined }> {
  return await deps.db.inSite(
    siteId,
    async (tx) => {
      const user = await findUser(tx, siteId, { by: "id", id });
      if (!user || user.state === "deleted") throw new Failure("user_not_found");
      return { user, signIn: await findSignIn(tx, siteId, id) };
    },
    { readOnly: true },
  );
}

/** Returns the Users and tombstones among the ids, in the order of the ids. */
export async function batchGetUsers(
  deps: Deps,
  siteId: SiteId,
  ids: readonly UserId[],
): Promise<User[]> {
  const found = await deps.db.inSite(siteId, (tx) => findUsers(tx, siteId, ids), {
    readOnly: true,
  });
  const byId = new Map(found.map((user) => [user.id, user]));
  return ids.map((id) => byId.get(id)).filter((user) => user !== undefined);
}

/**
 * Changes the fields that are present. What changes nothing writes nothing.
 *
 * @throws {Failure} `user_not_found`, `version_mismatch`, `…_taken`, `access_denied`,
 *   `last_admin`.
 */
export async function updateUser(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  id: UserId,
  {
    expectedVersion,
    fields,
  }: { readonly expectedVersion: number | undefined; readonly fields: UserFields },
): Promise<User> {
  return await write(deps, siteId, async (tx) => {
    const locked = await lockUser(tx, siteId, id);
    if (!locked || locked.user.state === "deleted") throw new Failure("user_not_found");
    const before = locked.user;
    checkVersion(before, expectedVersion);
    checkEscalation(caller, fields, before);
    const now = deps.clock.now();
    const merged = { ...before, ...withUnverified(before, fields) };
    const kinds = changesBetween(before, merged);
    const [first, ...others] = kinds;
    if (!first) return before;
    if (before.email !== merged.email) await deleteOneTimeTokens(tx, siteId, id);
    if (kinds.includes("user_roles_changed")) await voidAccessTokens(tx, siteId, id, now);
    const after = { ...merged, version: locked.nextVersion, updateTime: now };
    await keepAdmin(tx, before, after);
    const user = await saveUser(deps, tx, before, after, [first, ...others]);
    const details = { fields: Object.keys(fields) };
    await recordAct(tx, siteId, caller, { kind: "user.updated", subjectId: id, details }, now);
    return user;
  });
}

/**
 * Deletes a User for good: its Sessions end, its personal data go, a tombstone stays. To
 * delete a tombstone is no error.
 *
 * @throws {Failure} `user_not_found`, `version_mismatch`, `deletion_protected`,
 *   `last_admin`, `access_denied`.
 */
export async function deleteUser(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  id: UserId,
  expectedVersion: number | undefined,
): Promise<User> {
  return await write(deps, siteId, async (tx) => {
    const locked = await lockUser(tx, siteId, id);
    if (!locked) throw new Failure("user_not_found");
    const before = locked.user;
    if (before.state === "deleted") return before;
    checkVersion(before, expectedVersion);
    checkEscalation(caller, {}, before);
    if (before.deletionProtected) throw new Failure("deletion_protected");
    const now = deps.clock.now();
    await keepAdmin(tx, before, undefined);
    await endAllSessions(tx, siteId, id, now);
    await deleteCredentials(tx, siteId, id);
    await deleteOneTimeTokens(tx, siteId, id);
    await deleteEmailChanges(tx, siteId, id);
    await deleteSecondFactor(tx, siteId, id);
    await deleteLoginChallenges(tx, siteId, id);
    await forgiveGuesses(tx, siteId, id);
    await deleteLoginAttempts(tx, siteId, id);
    await deleteKnownDevices(tx, siteId, id);
    const after = tombstone(before, locked.nextVersion, now);
    const user = await saveUser(deps, tx, before, after, ["user_deleted"]);
    await recordAct(tx, siteId, caller, { kind: "user.deleted", subjectId: id }, now);
    await eraseAuditPersonal(tx, id, LIMITS.erasedEventsMax);
    return user;
  });
}

/** Another address has yet to be verified, unless the caller answers for it. */
function withUnverified(before: User, fields: UserFields): UserFields {
  if (fields.email === undefined || fields.email === before.email) return fields;
  return { emailVerified: false, ...fields };
}

/**
 * A site key without `site.admin` makes no admin and takes over none: who changes an admin's
 * address, username or roles, or deletes it, needs that scope too. No admin vouches for an
 * address.
 *
 * @throws {Failure} `access_denied`
 */
export function checkEscalation(
  caller: Caller,
  fields: UserFields,
  before: User | undefined,
): void {
  if (caller.kind === "user" && fields.emailVerified) throw new Failure("access_denied");
  if (caller.kind !== "site_key" || hasScope(caller, "site.admin")) return;
  if (fields.roles?.includes("admin") || before?.roles.includes("admin")) {
    throw new Failure("access_denied");
  }
}

/** Refuses to take the last active admin from a Site. @throws {Failure} `last_admin` */
export async function keepAdmin(
  tx: Queryable,
  before: User,
  after: User | undefined,
): Promise<void> {
  const isAdmin = (user: User) => user.state === "active" && user.roles.includes("admin");
  if (!isAdmin(before) || (after && isAdmin(after))) return;
  const admins = await lockActiveAdmins(tx, before.siteId);
  if (admins.every((id) => id === before.id)) throw new Failure("last_admin");
}

function checkVersion(user: User, expectedVersion: number | undefined): void {
  if (expectedVersion === undefined || user.version === expectedVersion) return;
  throw new Failure("version_mismatch", { version: String(user.version) });
}

/** Names what an update changes, the weightiest first; nothing if it changes nothing. */
function changesBetween(before: User, after: User): UserChangeKind[] {
  const kinds: UserChangeKind[] = [];
  if (!sameJson(before.roles, after.roles)) kinds.push("user_roles_changed");
  if (before.email !== after.email) kinds.push("user_email_changed");
  if (!before.emailVerified && after.emailVerified) kinds.push("user_email_verified");
  const profile = (user: User) => [
    user.username,
    user.displayName,
    user.pictureUrl,
    user.locale,
    user.externalId,
    user.metadata,
    user.deletionProtected,
    user.email === before.email && !user.emailVerified && before.emailVerified,
  ];
  if (!sameJson(profile(before), profile(after))) kinds.push("user_updated");
  return kinds;
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
