import { setTimeout as sleep } from "node:timers/promises";
import { newId, type SiteId, type UserId } from "../../src/model/id.ts";
import { newUser, tombstone, type User } from "../../src/model/user.ts";
import { encodeUser } from "../../src/rpc/convert-user.ts";
import { CHANGE_CHANNEL, type LogStep } from "../../src/store/changes.ts";
import type { Database } from "../../src/store/database.ts";
import { type Queryable, sql } from "../../src/store/sql.ts";
import { firstVersion, insertUser, lockUser, updateUser } from "../../src/store/users.ts";

/** Writes Users and changes by the statements of the service, without its RPCs. */
export interface ChangeGenerator {
  /** Creates Users in transactions of 1,000, without wake-ups; returns their ids. */
  fill(count: number): Promise<UserId[]>;
  /** Creates one User in a transaction of its own. */
  create(options?: WriteOptions): Promise<UserId>;
  /** Does it as the service does, and returns what the commit itself has numbered; no wake-up. */
  createNumbered(): Promise<{ readonly id: UserId; readonly numbered: LogStep | undefined }>;
  /** Gives the User another display name; false if it is a tombstone. */
  update(id: UserId, options?: WriteOptions): Promise<boolean>;
  /** Leaves the User's tombstone; false if it is one already. */
  remove(id: UserId, options?: WriteOptions): Promise<boolean>;
}

/** How one change is written. */
export interface WriteOptions {
  /** Where the transaction stands for a while, with its changes written, before it ends. */
  readonly hold?: () => Promise<void>;
  /** Writes the change again within a savepoint, and takes that back. */
  readonly savepoint?: boolean;
  /** Whether the transaction numbers its own changes at its end; by default false. */
  readonly numbers?: boolean;
  /** Whether nothing comes of it all; by default false. */
  readonly rollback?: boolean;
}

const CHUNK = 1_000;

/** Creates the generator for one Site. */
export function createChangeGenerator(db: Database, siteId: SiteId): ChangeGenerator {
  let count = 0;
  const nextName = (): string => {
    count += 1;
    return `User ${count}`;
  };

  async function write<T>(
    work: (tx: Queryable) => Promise<T>,
    { hold, savepoint, numbers, rollback }: WriteOptions = {},
  ): Promise<T | undefined> {
    const undone = new Error("taken back");
    const ended = db.inSite(siteId, async (tx) => {
      if (savepoint) await takeBack(tx, () => work(tx));
      const result = await work(tx);
      // What was enqueued is written before the wait, which may be longer than one may stand idle.
      await tx.query(sql`set local idle_in_transaction_session_timeout = 0`);
      await hold?.();
      if (numbers) await tx.query(sql`select signet.sequence_own_changes()`);
      if (rollback) throw undone;
      return result;
    });
    const result = await ended.catch((error: unknown) => {
      if (error !== undone) throw error;
      return undefined;
    });
    db.notifySoon(CHANGE_CHANNEL);
    return result;
  }

  function makeUser(version: number): User {
    const createTime = new Date();
    const id = newId<UserId>(createTime);
    return newUser({ id, siteId, version, createTime, displayName: nextName() });
  }

  return {
    async fill(total) {
      const ids: UserId[] = [];
      for (let left = total; left > 0; left -= CHUNK) {
        const users = await db.inSite(siteId, async (tx) => {
          const version = await firstVersion(tx, siteId);
          const made = Array.from({ length: Math.min(left, CHUNK) }, () => makeUser(version));
          await insertUsers(tx, siteId, made);
          return made;
        });
        ids.push(...users.map(({ id }) => id));
      }
      return ids;
    },

    async create(options) {
      const user = makeUser(1);
      await write(async (tx) => {
        const version = await firstVersion(tx, siteId);
        await insertUser(tx, { ...user, version }, changeOf("user_created", { ...user, version }));
      }, options);
      return user.id;
    },

    async createNumbered() {
      const { result: id, numbered } = await db.changeSite(siteId, async (tx) => {
        const user = makeUser(await firstVersion(tx, siteId));
        await insertUser(tx, user, changeOf("user_created", user));
        return user.id;
      });
      return { id, numbered };
    },

    async update(id, options) {
      const written = await write(async (tx) => {
        const locked = await lockUser(tx, siteId, id);
        if (!locked || locked.user.state === "deleted") return false;
        const after = { ...locked.user, displayName: nextName(), version: locked.nextVersion };
        await updateUser(tx, after, locked.user.version, changeOf("user_updated", after));
        return true;
      }, options);
      return written === true;
    },

    async remove(id, options) {
      const written = await write(async (tx) => {
        const locked = await lockUser(tx, siteId, id);
        if (!locked || locked.user.state === "deleted") return false;
        const after = tombstone(locked.user, locked.nextVersion, new Date());
        await updateUser(tx, after, locked.user.version, changeOf("user_deleted", after));
        return true;
      }, options);
      return written === true;
    },
  };
}

/** Calls `act` so often a second, whether the calls before have ended or not, `count` times. */
export async function atRate(
  perSecond: number,
  count: number,
  act: (n: number) => Promise<void>,
): Promise<void> {
  const beginMs = performance.now();
  const acts: Promise<void>[] = [];
  for (let n = 0; n < count; n += 1) {
    const waitMs = beginMs + (n * 1_000) / perSecond - performance.now();
    if (waitMs > 1) await sleep(waitMs);
    acts.push(act(n));
  }
  await Promise.all(acts);
}

function changeOf(kind: "user_created" | "user_updated" | "user_deleted", user: User) {
  return { kind, furtherKinds: [], body: encodeUser(user), bulk: false };
}

async function takeBack(tx: Queryable, work: () => Promise<unknown>): Promise<void> {
  await tx.query(sql`savepoint before`);
  await work();
  await tx.query(sql`rollback to savepoint before`);
}

async function insertUsers(tx: Queryable, siteId: SiteId, users: readonly User[]): Promise<void> {
  const ids = users.map(({ id }) => id);
  const bodies = users.map(encodeUser);
  const names = users.map(({ displayName }) => displayName);
  const [first] = users;
  await tx.query(sql`
    with logged as (
      insert into signet.change_outbox (site_id, kind, user_id, version, body, bulk, commit_time)
      select ${siteId}, 'user_created', t.id, ${first?.version}, t.body, true, now()
        from unnest(${ids}::uuid[], ${bodies}::bytea[]) as t (id, body))
    insert into signet.users
           (site_id, id, version, email_verified, display_name, picture_url, locale, roles,
            state, mfa_enabled, create_time, update_time, deletion_protected)
    select ${siteId}, t.id, ${first?.version}, false, t.name, '', '', '{user}', 'active', false,
           ${first?.createTime}, ${first?.createTime}, false
      from unnest(${ids}::uuid[], ${names}::text[]) as t (id, name)`);
}
