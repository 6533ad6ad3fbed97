import type { SiteHead, UserChange } from "../model/change.ts";
import type { SiteId, UserId } from "../model/id.ts";
import type { User } from "../model/user.ts";
import { findSiteHead, listUserChanges, sequenceChanges } from "../store/changes.ts";
import { listUsersById } from "../store/users.ts";
import type { Deps } from "./deps.ts";

/** Returns where the Site's log stands, after everything that is committed was numbered. */
export async function currentHead(deps: Deps, siteId: SiteId): Promise<SiteHead> {
  await sequenceChanges({ query: deps.db.acrossSites });
  return await deps.db.inSite(siteId, (tx) => findSiteHead(tx, siteId), { readOnly: true });
}

/** Returns a page of a snapshot: Users and tombstones in id order, in a short transaction. */
export async function snapshotPage(
  deps: Deps,
  siteId: SiteId,
  page: { readonly after: UserId | undefined; readonly limit: number },
): Promise<User[]> {
  return await deps.db.inSite(siteId, (tx) => listUsersById(tx, siteId, page), { readOnly: true });
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
