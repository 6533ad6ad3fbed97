import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId, UserId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { tombstone, type User } from "../model/user.ts";
import { eraseAuditPersonal } from "../store/audit-events.ts";
import type { Queryable } from "../store/sql.ts";
import { eraseUserData, putTombstones } from "../store/user-erasure.ts";
import { type LockedUser, lockUser } from "../store/users.ts";
import { checkRank, keepAdmin, requireAdminNow } from "./admins.ts";
import { recordAct, recordActs } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { endAllSessions } from "./sessions.ts";
import { checkVersion } from "./users.ts";
import { saveUser, write } from "./write.ts";

/**
 * Deletes a User for good: its Sessions end, its personal data go, a tombstone stays. To
 * delete a tombstone is no error.
 *
 * @throws {Failure} `user_not_found`, `version_mismatch`, `deletion_protected`,
 *   `last_admin`, `access_denied`, `credential_invalid`.
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
    await requireAdminNow(tx, siteId, caller);
    const before = locked.user;
    if (before.state === "deleted") return before;
    checkVersion(before, expectedVersion);
    checkRank(caller, before);
    if (before.deletionProtected) throw new Failure("deletion_protected");
    const now = deps.clock.now();
    await keepAdmin(tx, before, undefined);
    await endAllSessions(tx, siteId, id, now);
    await eraseUserData(tx, siteId, [id], now);
    const after = tombstone(before, locked.nextVersion, now);
    const user = await saveUser(deps, tx, before, after, ["user_deleted"]);
    await recordAct(tx, siteId, caller, { kind: "user.deleted", subjectId: id }, now);
    await eraseAuditPersonal(tx, [id], LIMITS.erasedEventsMax);
    return user;
  });
}

/**
 * Deletes Users of a closed Site, that the transaction has locked: the Site's end has voided all
 * that they hold already.
 */
export async function eraseUsers(
  deps: Deps,
  tx: Queryable,
  siteId: SiteId,
  locked: readonly LockedUser[],
  now: Date,
): Promise<void> {
  const ids = locked.map(({ user }) => user.id);
  await eraseUserData(tx, siteId, ids, now);
  const tombstones = locked.map(({ user, nextVersion: version }) => {
    const body = deps.encodeUser(tombstone(user, version, now));
    return { id: user.id, version, previousVersion: user.version, body };
  });
  await putTombstones(tx, siteId, tombstones, now);
  await recordActs(tx, siteId, { kind: "system" }, { kind: "user.deleted", subjectIds: ids }, now);
  await eraseAuditPersonal(tx, ids, LIMITS.erasedEventsMax);
}
