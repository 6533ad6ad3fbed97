import type { UserChangeKind } from "../model/change.ts";
import type { SiteId } from "../model/id.ts";
import type { User } from "../model/user.ts";
import type { Queryable } from "../store/sql.ts";
import { insertUser, updateUser } from "../store/users.ts";
import type { Deps } from "./deps.ts";

/**
 * Runs the one transaction of a call that writes, and wakes the reader once it has committed.
 *
 * The change, its audit event and its mail job are written by `work`, so that all are there or
 * none is. `work` may run again after a conflict: it does nothing but statements.
 */
export async function write<T>(
  deps: Deps,
  siteId: SiteId,
  work: (tx: Queryable) => Promise<T>,
): Promise<T> {
  const { result, numbered } = await deps.db.changeSite(siteId, work);
  deps.wakeReader(numbered);
  return result;
}

/** Inserts a User and its change. @throws {Failure} `…_taken`, naming what is. */
export async function saveNewUser(deps: Deps, tx: Queryable, user: User): Promise<void> {
  await insertUser(tx, user, {
    kind: "user_created",
    furtherKinds: [],
    body: deps.encodeUser(user),
    bulk: false,
  });
}

/**
 * Replaces a User that the transaction has locked, and writes its change. The first of `kinds`
 * is the one that a filter sees first.
 *
 * @throws {Failure} `…_taken`, naming what is.
 */
export async function saveUser(
  deps: Deps,
  tx: Queryable,
  before: User,
  after: User,
  kinds: readonly [UserChangeKind, ...UserChangeKind[]],
): Promise<User> {
  const [kind, ...furtherKinds] = kinds;
  const body = deps.encodeUser(after);
  await updateUser(tx, after, before.version, { kind, furtherKinds, body, bulk: false });
  return after;
}
