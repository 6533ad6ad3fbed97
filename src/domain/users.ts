import type { Caller } from "../model/caller.ts";
import { Failure, type Reason } from "../model/failure.ts";
import { newId, type SiteId, type UserId } from "../model/id.ts";
import { newUser, type User, type UserRef, type UserSignIn } from "../model/user.ts";
import { findSignIn, insertCredentials } from "../store/credentials.ts";
import type { Queryable } from "../store/sql.ts";
import { findUser, findUsers, firstVersion, type LockedUser, lockUser } from "../store/users.ts";
import { checkEscalation, keepAdmin, requireAdminNow } from "./admins.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { replaceEmail } from "./email-change.ts";
import { voidAccessTokens } from "./sessions.ts";
import { changedFields, changesBetween } from "./user-changes.ts";
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
 *   `access_denied`, `credential_invalid`.
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
  return await orRepeated(["id_taken"], () =>
    write(deps, siteId, async (tx) => {
      await requireAdminNow(tx, siteId, caller);
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
    }),
  );
}

/**
 * Makes another attempt where the first has met its own repeat: of two at the same instant, the
 * second finds what the first has made.
 */
export async function orRepeated<T>(
  reasons: readonly Reason[],
  attempt: () => Promise<T>,
): Promise<T> {
  return await attempt().catch((error: unknown) => {
    if (error instanceof Failure && reasons.includes(error.reason)) return attempt();
    throw error;
  });
}

/** The address tells a repeat from a slip; the rest may have been changed since. */
function repeated(known: User, fields: UserFields): User {
  if (known.email !== fields.email) throw new Failure("id_taken");
  return known;
}

/** @throws {Failure} `user_not_found`, also for a tombstone. */
export async function lookupUser(deps: Deps, siteId: SiteId, ref: UserRef): Promise<User> {
  const user = await findUser(deps.db.readIn(siteId), siteId, ref);
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
      const [user, signIn] = await Promise.all([
        findUser(tx, siteId, { by: "id", id }),
        findSignIn(tx, siteId, id),
      ]);
      if (!user || user.state === "deleted") throw new Failure("user_not_found");
      return { user, signIn };
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
  const found = await findUsers(deps.db.readIn(siteId), siteId, ids);
  const byId = new Map(found.map((user) => [user.id, user]));
  return ids.map((id) => byId.get(id)).filter((user) => user !== undefined);
}

/**
 * Changes the fields that are present. What changes nothing writes nothing.
 *
 * @throws {Failure} `user_not_found`, `version_mismatch`, `…_taken`, `access_denied`,
 *   `last_admin`, `credential_invalid`.
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
    const { user: before, nextVersion: version } = await lockSubject(tx, siteId, caller, id);
    checkVersion(before, expectedVersion);
    checkEscalation(caller, fields, before);
    const now = deps.clock.now();
    const after = { ...before, ...withUnverified(before, fields), version, updateTime: now };
    const [first, ...others] = changesBetween(before, after);
    if (!first) return before;
    await keepAdmin(tx, before, after);
    if (first === "user_roles_changed") await voidAccessTokens(tx, siteId, id, now);
    if (before.email !== after.email) await replaceEmail(tx, before, after.email, now);
    const user = await saveUser(deps, tx, before, after, [first, ...others]);
    const details = { fields: changedFields(before, after) };
    await recordAct(tx, siteId, caller, { kind: "user.updated", subjectId: id, details }, now);
    return user;
  });
}

/**
 * Finds and locks a User that somebody wants to change, who may do so still.
 *
 * @throws {Failure} `user_not_found`, also for a tombstone; `credential_invalid`.
 */
export async function lockSubject(
  tx: Queryable,
  siteId: SiteId,
  caller: Caller,
  id: UserId,
): Promise<LockedUser> {
  const [locked] = await Promise.all([
    lockUser(tx, siteId, id),
    requireAdminNow(tx, siteId, caller),
  ]);
  if (!locked || locked.user.state === "deleted") throw new Failure("user_not_found");
  return locked;
}

/** Another address has yet to be verified, unless the caller answers for it. */
function withUnverified(before: User, fields: UserFields): UserFields {
  if (fields.email === undefined || fields.email === before.email) return fields;
  return { emailVerified: false, ...fields };
}

/** Refuses a change that was meant for another version. @throws {Failure} `version_mismatch` */
export function checkVersion(user: User, expectedVersion: number | undefined): void {
  if (expectedVersion === undefined || user.version === expectedVersion) return;
  throw new Failure("version_mismatch", { version: String(user.version) });
}
