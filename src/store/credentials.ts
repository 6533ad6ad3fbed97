import type { SiteId, UserId } from "../model/id.ts";
import type { UserSignIn, UserState } from "../model/user.ts";
import { enqueue, hot, indexed, type Queryable, sql } from "./sql.ts";

/** A stored password: the PHC string, and the version of the pepper that went in. */
export interface StoredPassword {
  readonly phc: string;
  readonly pepperVersion: number;
}

/** What a User signs in with. */
export interface Credentials {
  /** Absent: the User has no password. */
  readonly password: StoredPassword | undefined;
  readonly generation: number;
}

/** What {@link toCredentials} reads of a row of `credentials`. */
export interface CredentialsRow {
  readonly password_hash: string | null;
  readonly pepper_version: number | null;
  readonly generation: number;
}

/** Inserts what a new User signs in with. */
export async function insertCredentials(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
  password: StoredPassword | undefined,
): Promise<void> {
  const statement = hot`
    insert into signet.credentials (site_id, user_id, password_hash, pepper_version)
    values (${siteId}, ${userId}, ${password?.phc ?? null}, ${password?.pepperVersion ?? null})`;
  await enqueue(db, statement);
}

/** Finds what a User signs in with. */
export async function findCredentials(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
): Promise<Credentials | undefined> {
  const { rows } = await db.query<CredentialsRow>(hot`
    select password_hash, pepper_version, generation
      from signet.credentials
     where site_id = ${siteId} and user_id = ${userId}`);
  return rows[0] && toCredentials(rows[0]);
}

/** Makes what a User signs in with of its row. */
export function toCredentials(row: CredentialsRow): Credentials {
  const password =
    row.password_hash === null || row.pepper_version === null
      ? undefined
      : { phc: row.password_hash, pepperVersion: row.pepper_version };
  return { password, generation: row.generation };
}

/** Finds how a User signs in, for administrators. */
export async function findSignIn(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
): Promise<UserSignIn | undefined> {
  const { rows } = await db.query<{
    last_login_time: Date | null;
    failed_logins: number;
    lock_expire_time: Date | null;
    active_sessions: number;
  }>(indexed`
    select c.last_login_time, coalesce(g.guesses, 0) as failed_logins, g.lock_expire_time,
           (select count(*)::integer from signet.sessions s
             where s.site_id = c.site_id and s.user_id = c.user_id and s.end_time is null
               and s.idle_expire_time > now()) as active_sessions
      from signet.credentials c
      left join signet.guess_counts g
        on g.site_id = c.site_id and g.account_id = c.user_id and g.device_hash = ''::bytea
     where c.site_id = ${siteId} and c.user_id = ${userId}`);
  const [row] = rows;
  return (
    row && {
      lastLoginTime: row.last_login_time ?? undefined,
      failedLogins: row.failed_logins,
      lockExpireTime: row.lock_expire_time ?? undefined,
      activeSessions: row.active_sessions,
    }
  );
}

/** Sets the password of a User, or takes it away. */
export async function updatePassword(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
  password: StoredPassword | undefined,
): Promise<void> {
  const statement = hot`
    update signet.credentials
       set password_hash = ${password?.phc ?? null},
           pepper_version = ${password?.pepperVersion ?? null}
     where site_id = ${siteId} and user_id = ${userId}`;
  await enqueue(db, statement);
}

/** Tells whether this is the User's generation, and locks the row until the transaction ends. */
export async function isGeneration(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
  generation: number,
): Promise<boolean> {
  const { rowCount } = await db.query(hot`
    select from signet.credentials
     where site_id = ${siteId} and user_id = ${userId} and generation = ${generation}
       for update`);
  return rowCount === 1;
}

/**
 * Notes a login that succeeded, and tells whether it is the first one. Returns undefined if the
 * generation has risen since the password was checked: whatever voids Sessions raises it under
 * the same row lock.
 */
export async function recordLogin(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
  generation: number,
  now: Date,
): Promise<{ readonly isFirst: boolean } | undefined> {
  const { rows } = await db.query<{ isFirst: boolean }>(hot`
    update signet.credentials c
       set last_login_time = ${now}
      from (select user_id, last_login_time from signet.credentials
             where site_id = ${siteId} and user_id = ${userId} and generation = ${generation}
               for update) before
     where c.site_id = ${siteId} and c.user_id = before.user_id
    returning before.last_login_time is null as "isFirst"`);
  return rows[0];
}

/** Raises the User's generation, which voids all its tokens; returns the new one. */
export async function raiseGeneration(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
): Promise<number> {
  const { rows } = await db.query<{ generation: number }>(hot`
    update signet.credentials set generation = generation + 1
     where site_id = ${siteId} and user_id = ${userId}
    returning generation`);
  return rows[0]?.generation ?? 1;
}

/** Notes the state that a User has before it is disabled. */
export async function setDisabledFrom(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
  state: UserState,
): Promise<void> {
  const statement = hot`
    update signet.credentials set disabled_from = ${state}
     where site_id = ${siteId} and user_id = ${userId}`;
  await enqueue(db, statement);
}

/** Returns the state that a disabled User had before, and forgets it. */
export async function takeDisabledFrom(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
): Promise<UserState | undefined> {
  const { rows } = await db.query<{ disabled_from: UserState | null }>(sql`
    with before as (
      select disabled_from from signet.credentials
       where site_id = ${siteId} and user_id = ${userId}
    ), forgotten as (
      update signet.credentials set disabled_from = null
       where site_id = ${siteId} and user_id = ${userId}
    )
    select disabled_from from before`);
  return rows[0]?.disabled_from ?? undefined;
}
