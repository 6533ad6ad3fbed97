import type { SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { LIVE_STATES, type UserFilter } from "../model/user-filter.ts";
import type { Queryable } from "../store/sql.ts";
import { type ListPlace, scanUsers } from "../store/user-lists.ts";
import type { Deps } from "./deps.ts";
import { currentHead } from "./sync.ts";
import { createTurns } from "./turns.ts";

/**
 * Counts the Users that a filter lets through, as they are at one moment.
 *
 * It stops, and rejects with the reason, where the signal says that nobody waits any more.
 */
export type CountUsers = (
  siteId: SiteId,
  filter: UserFilter,
  signal: AbortSignal,
) => Promise<number>;

const SCAN_MAX = 20_000;

/** Creates the count of Users, of which a few at a time read tables. */
export function createUserCounts(deps: Deps): CountUsers {
  const turns = createTurns(LIMITS.countScansMax);
  // One snapshot for all statements, each of which is short.
  const options = { isolation: "repeatable read", readOnly: true } as const;
  return async (siteId, filter, signal) => {
    await deps.sites.get(siteId);
    if (isEveryone(filter)) return (await currentHead(deps, siteId)).sums.users;
    return await turns.run(async () => {
      signal.throwIfAborted();
      const count = (tx: Queryable) => countMatching(tx, siteId, filter, signal);
      return await deps.db.inSite(siteId, count, options);
    });
  };
}

async function countMatching(
  tx: Queryable,
  siteId: SiteId,
  filter: UserFilter,
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  for (let after: ListPlace | undefined; ; ) {
    const found = await scanUsers(tx, siteId, filter, { after, scanMax: SCAN_MAX });
    count += found.matching;
    if (found.scanned < SCAN_MAX || !found.end) return count;
    signal.throwIfAborted();
    after = found.end;
  }
}

/** How many there are in all is known without a look at each. */
function isEveryone({ states, ...others }: UserFilter): boolean {
  const isLive = LIVE_STATES.every((state) => states.includes(state));
  return isLive && states.length === LIVE_STATES.length && Object.keys(others).length === 0;
}
