import { setTimeout as sleep } from "node:timers/promises";
import type { SiteHead, UserChange } from "../model/change.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId, UserId } from "../model/id.ts";
import type { User } from "../model/user.ts";
import { findSiteHead, listUserChanges, sequenceChanges } from "../store/changes.ts";
import { findUsers, listUsersById } from "../store/users.ts";
import type { Deps } from "./deps.ts";

const SEQUENCE_ATTEMPTS_MAX = 200;
const SEQUENCE_RETRY_MS = 5;

/**
 * Numbers everything that is committed, so that a head that is read next includes it.
 *
 * @throws {Failure} `unavailable` if others keep numbering for longer than a second.
 */
export async function numberChanges(deps: Deps): Promise<void> {
  const across = { query: deps.db.acrossSites };
  for (let attempt = 1; !(await sequenceChanges(across)); attempt += 1) {
    if (attempt === SEQUENCE_ATTEMPTS_MAX) throw new Failure("unavailable");
    await sleep(SEQUENCE_RETRY_MS);
  }
}

/** Returns where the Site's log stands, as far as it is numbered. */
export async function siteHead(deps: Deps, siteId: SiteId): Promise<SiteHead> {
  return await deps.db.inSite(siteId, (tx) => findSiteHead(tx, siteId), { readOnly: true });
}

/**
 * Returns where the Site's log stands, after everything that is committed was numbered.
 *
 * @throws {Failure} `unavailable` if others keep numbering for longer than a second.
 */
export async function currentHead(deps: Deps, siteId: SiteId): Promise<SiteHead> {
  await numberChanges(deps);
  return await siteHead(deps, siteId);
}

/** Returns a page of a snapshot: Users and tombstones in id order, in a short transaction. */
export async function snapshotPage(
  deps: Deps,
  siteId: SiteId,
  page: { readonly after: UserId | undefined; readonly limit: number },
): Promise<User[]> {
  return await deps.db.inSite(siteId, (tx) => listUsersById(tx, siteId, page), { readOnly: true });
}

/** Returns those of some Users that come after one of them, tombstones included, in id order. */
export async function wantedUsers(
  deps: Deps,
  siteId: SiteId,
  wanted: ReadonlySet<UserId>,
  { after = "", limit }: { readonly after: UserId | "" | undefined; readonly limit: number },
): Promise<User[]> {
  const ids = [...wanted].filter((id) => id > after);
  const found = await deps.db.inSite(siteId, (tx) => findUsers(tx, siteId, ids), {
    readOnly: true,
  });
  return found.toSorted((a, b) => (a.id < b.id ? -1 : 1)).slice(0, limit);
}

/** Returns the changes of the Site after a position, from the log. */
export async function changesAfter(
  deps: Deps,
  siteId: SiteId,
  page: { readonly after: number; readonly limit: number },
): Promise<UserChange[]> {
  return await deps.db.inSite(siteId, (tx) => listUserChanges(tx, siteId, page), {
    readOnly: true,
  });
}
