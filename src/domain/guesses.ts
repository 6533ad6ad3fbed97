import type { Client } from "../model/caller.ts";
import type { SiteId, UserId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { clearFailedLogins, countFailedLogin } from "../store/credentials.ts";
import { addMailJob } from "../store/mail-jobs.ts";
import type { Queryable } from "../store/sql.ts";
import type { Deps } from "./deps.ts";

/** Who is guessed at, and from where. */
export interface Guess {
  readonly userId: UserId;
  readonly client: Client;
}

/**
 * Counts a guess at a password or a code, and tells whether it may be checked at all. It is
 * counted before, in a transaction of its own, so that of any number of guesses at the same
 * time exactly as many are checked as the limit says. A right one is taken back by
 * {@link forgiveGuesses}.
 *
 * A caller must not tell a guess that was not checked from a wrong one.
 */
export async function countGuess(deps: Deps, siteId: SiteId, { userId }: Guess): Promise<boolean> {
  return await deps.db.inSite(siteId, async (tx) => {
    const now = deps.clock.now();
    const lockUntil = new Date(now.getTime() + LIMITS.lockMs);
    const bounds = { max: LIMITS.guessesMax, now, lockUntil };
    const counted = await countFailedLogin(tx, siteId, userId, bounds);
    if (counted?.locked) await addMailJob(tx, { mail: "account_locked", siteId, userId });
    return counted !== undefined;
  });
}

/** Forgets the guesses at an account, and lifts its lock, once its owner has shown up. */
export async function forgiveGuesses(tx: Queryable, siteId: SiteId, userId: UserId): Promise<void> {
  await clearFailedLogins(tx, siteId, userId);
}
