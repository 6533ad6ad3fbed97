import type { SiteId } from "../model/id.ts";
import type { UserFilter } from "../model/user-filter.ts";
import {
  type ListedUser,
  type ListPlace,
  listUsers as listStoredUsers,
  scanUsers,
} from "../store/user-lists.ts";
import type { Deps } from "./deps.ts";

export type { ListedUser, ListPlace } from "../store/user-lists.ts";

/** How many Users one statement looks at, so that it stays short whatever the filter. */
const SCAN_MAX = 5_000;
/** How many such statements a page may take; where few Users pass, it is shorter then. */
const SCANS_MAX = 20;

/** A stretch of a list. */
export interface UserPage {
  readonly users: readonly ListedUser[];
  /** Where the list goes on; absent: that was the end. */
  readonly next: ListPlace | undefined;
}

/**
 * Lists Users in the order of the list that the filter chooses. Each statement is short, however
 * few Users the filter lets through, and so a page may hold less than `limit` before the end.
 */
export async function listUsers(
  deps: Deps,
  siteId: SiteId,
  filter: UserFilter,
  { after: start, limit }: { readonly after: ListPlace | undefined; readonly limit: number },
): Promise<UserPage> {
  const users: ListedUser[] = [];
  let after = start;
  for (let scan = 0; scan < SCANS_MAX; scan += 1) {
    const wanted = limit - users.length;
    const stretch = await readStretch(deps, siteId, filter, after, wanted);
    users.push(...stretch.users);
    if (users.length === limit) return { users, next: users.at(-1)?.place };
    if (!stretch.end) return { users, next: undefined };
    after = stretch.end;
  }
  return { users, next: after };
}

/** Reads what one stretch holds, and where it ends unless that is the end of the list. */
async function readStretch(
  { db }: Deps,
  siteId: SiteId,
  filter: UserFilter,
  after: ListPlace | undefined,
  limit: number,
): Promise<{ readonly users: readonly ListedUser[]; readonly end: ListPlace | undefined }> {
  // One snapshot for both: the second statement ends where the first one did.
  const options = { isolation: "repeatable read", readOnly: true } as const;
  return await db.inSite(
    siteId,
    async (tx) => {
      const users = await listStoredUsers(tx, siteId, filter, { after, limit, scanMax: SCAN_MAX });
      if (users.length === limit) return { users, end: undefined };
      const { scanned, end } = await scanUsers(tx, siteId, filter, { after, scanMax: SCAN_MAX });
      return { users, end: scanned === SCAN_MAX ? end : undefined };
    },
    options,
  );
}
