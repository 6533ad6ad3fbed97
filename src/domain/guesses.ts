import type { SiteId, UserId } from "../model/id.ts";
import { clearFailedLogins } from "../store/credentials.ts";
import type { Queryable } from "../store/sql.ts";

/** Forgets the guesses at an account, and lifts its lock, once its owner has shown up. */
export async function forgiveGuesses(tx: Queryable, siteId: SiteId, userId: UserId): Promise<void> {
  await clearFailedLogins(tx, siteId, userId);
}
