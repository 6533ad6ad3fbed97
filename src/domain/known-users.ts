import type { SiteId, UserId } from "../model/id.ts";
import type { User } from "../model/user.ts";
import type { LogRow } from "../store/changes.ts";
import type { Database } from "../store/database.ts";
import { findUser } from "../store/users.ts";

/** What is kept of a User. */
export type KnownUser = Pick<User, "email" | "emailVerified" | "state">;

/** Users who pass through proxies, kept in memory as long as the log says nothing new. */
export interface KnownUsers {
  /** Finds a User of the Site. @throws {Failure} `unavailable` */
  get(siteId: SiteId, userId: UserId): Promise<KnownUser | undefined>;
  /** Forgets the Users that the log says have changed, or all after a gap. */
  apply(rows: readonly LogRow[], epochChanged: boolean): void;
}

const USERS_MAX = 50_000; // At about 400 bytes each.
/** A net under the log: nothing is kept longer, whatever happens to the reader. */
const KEEP_MS = 5 * 60_000;
const KEEP_STALE_MS = 500;

interface Entry {
  readonly loadedMs: number;
  readonly user: Promise<KnownUser | undefined>;
}

/** Creates the memory of Users. While the reader lags, entries live half a second only. */
export function createKnownUsers(options: {
  readonly db: Pick<Database, "validation">;
  readonly isFresh: () => boolean;
  /** By default 50,000. */
  readonly usersMax?: number;
}): KnownUsers {
  const { db, isFresh, usersMax = USERS_MAX } = options;
  const entries = new Map<string, Entry>();

  function load(key: string, siteId: SiteId, userId: UserId): Promise<KnownUser | undefined> {
    // Noted before it is read, so that a change that comes meanwhile takes it away again.
    const user = readUser(db, siteId, userId);
    const entry = { loadedMs: performance.now(), user };
    entries.delete(key);
    entries.set(key, entry);
    const [oldest] = entries.keys();
    if (entries.size > usersMax && oldest !== undefined) entries.delete(oldest);
    user.catch(() => {
      if (entries.get(key) === entry) entries.delete(key);
    });
    return user;
  }

  return {
    async get(siteId, userId) {
      const key = keyOf(siteId, userId);
      const entry = entries.get(key);
      const keepMs = isFresh() ? KEEP_MS : KEEP_STALE_MS;
      if (entry && performance.now() - entry.loadedMs < keepMs) return await entry.user;
      return await load(key, siteId, userId);
    },
    apply(rows, epochChanged) {
      if (epochChanged) entries.clear();
      if (entries.size === 0) return;
      for (const row of rows) {
        if (row.type === "user_change") entries.delete(keyOf(row.siteId, row.userId));
      }
    },
  };
}

/** Two Sites may have a User of the same id, which clients choose. */
function keyOf(siteId: SiteId, userId: UserId): string {
  return `${siteId}/${userId}`;
}

async function readUser(
  db: Pick<Database, "validation">,
  siteId: SiteId,
  userId: UserId,
): Promise<KnownUser | undefined> {
  const user = await findUser(db.validation.readIn(siteId), siteId, { by: "id", id: userId });
  // The rest of a User may be large, and is not asked for.
  return user && { email: user.email, emailVerified: user.emailVerified, state: user.state };
}
