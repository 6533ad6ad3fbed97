import type { SiteId, UserId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { deleteMirrors } from "../store/mirrors.ts";
import {
  awaitLateUsers,
  listErasingSites,
  nextUsers,
  noteSiteErased,
  tryErasureLock,
} from "../store/site-deletion.ts";
import { lockLivingUsers } from "../store/users.ts";
import type { Deps } from "./deps.ts";
import { eraseUsers } from "./user-deletion.ts";
import { write } from "./write.ts";

/** What one run has deleted. */
export interface Erasure {
  readonly sites: number;
  readonly users: number;
}

/**
 * Deletes the Users of closed Sites, a few in each transaction, until there are none, another
 * process is found to do it, or `signal` says to stop. Wherever it stops, the next run goes on.
 *
 * @throws {AggregateError} what has kept Sites from being finished, once all were tried.
 */
export async function eraseClosedSites(deps: Deps, signal?: AbortSignal): Promise<Erasure> {
  const across = { query: deps.db.acrossSites };
  const done = { sites: 0, users: 0 };
  const problems: unknown[] = [];
  for (let after: SiteId | undefined; !signal?.aborted; ) {
    const [siteId] = await listErasingSites(across, { after, limit: 1 });
    if (!siteId) break;
    after = siteId;
    try {
      const { users, isFinished } = await eraseSite(deps, siteId, signal);
      done.users += users;
      if (!isFinished) break;
      done.sites += 1;
    } catch (error) {
      problems.push(error); // Of one Site; the others must not wait for it.
    }
  }
  if (problems.length > 0) throw new AggregateError(problems, "Sites are not erased");
  return done;
}

/** Nobody is let in any more; so, once those under way are waited for, one pass finds all. */
async function eraseSite(
  deps: Deps,
  siteId: SiteId,
  signal: AbortSignal | undefined,
): Promise<{ readonly users: number; readonly isFinished: boolean }> {
  await deps.db.inSite(siteId, (tx) => awaitLateUsers(tx, siteId));
  let users = 0;
  for (let after: UserId | undefined; !signal?.aborted; ) {
    const step = await eraseNext(deps, siteId, after);
    if (!step) break;
    users += step.users;
    if (step.end === undefined) return { users, isFinished: true };
    after = step.end;
  }
  return { users, isFinished: false };
}

/** Undefined: another process is at it. */
async function eraseNext(
  deps: Deps,
  siteId: SiteId,
  after: UserId | undefined,
): Promise<{ readonly users: number; readonly end: UserId | undefined } | undefined> {
  const page = { after, limit: LIMITS.erasedUsersMax, scanMax: LIMITS.erasureScanMax };
  return await write(deps, siteId, async (tx) => {
    if (!(await tryErasureLock(tx))) return undefined;
    const { living, end } = await nextUsers(tx, siteId, page);
    const now = deps.clock.now();
    const locked = await lockLivingUsers(tx, siteId, living);
    if (locked.length > 0) await eraseUsers(deps, tx, siteId, locked, now);
    if (end === undefined) {
      await deleteMirrors(tx, siteId);
      await noteSiteErased(tx, siteId, now);
    }
    return { users: locked.length, end };
  });
}
