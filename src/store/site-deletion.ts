import type { SiteId, UserId, WebhookId } from "../model/id.ts";
import { fragment, indexed, type Queryable, sql } from "./sql.ts";
import type { WebhookRef } from "./webhook-work.ts";

/** A Site as far as its deletion is concerned. */
export interface ClosableSite {
  readonly deletionProtected: boolean;
  /** Absent: it is open. */
  readonly deleteTime: Date | undefined;
  /** When its last User was deleted; absent: there may be some. */
  readonly eraseTime: Date | undefined;
}

/** Finds a Site, open or deleted, and locks it. */
export async function lockClosableSite(
  db: Queryable,
  siteId: SiteId,
): Promise<ClosableSite | undefined> {
  const { rows } = await db.query<{
    deletion_protected: boolean;
    delete_time: Date | null;
    erase_time: Date | null;
  }>(sql`
    select deletion_protected, delete_time, erase_time
      from signet.sites where id = ${siteId} for no key update`);
  const [row] = rows;
  return (
    row && {
      deletionProtected: row.deletion_protected,
      deleteTime: row.delete_time ?? undefined,
      eraseTime: row.erase_time ?? undefined,
    }
  );
}

/** Closes a Site that the transaction has locked: from then on no User is let into it. */
export async function closeSite(db: Queryable, siteId: SiteId, now: Date): Promise<void> {
  await db.query(sql`
    update signet.sites set delete_time = ${now}, update_time = ${now}, version = version + 1
     where id = ${siteId}`);
}

/** Tells whether there is a Site, or has been one. */
export async function hasBeenSite(db: Queryable, siteId: SiteId): Promise<boolean> {
  const { rowCount } = await db.query(sql`select from signet.sites where id = ${siteId}`);
  return rowCount === 1;
}

/**
 * Waits for the transactions that put a User into a closed Site: they were let in before it was
 * closed, and hold its row.
 */
export async function awaitLateUsers(db: Queryable, siteId: SiteId): Promise<void> {
  await db.query(sql`select from signet.sites where id = ${siteId} for update`);
}

/** Notes that the last User of a closed Site is deleted. */
export async function noteSiteErased(db: Queryable, siteId: SiteId, now: Date): Promise<void> {
  await db.query(sql`
    update signet.sites set erase_time = ${now}
     where id = ${siteId} and delete_time is not null and erase_time is null`);
}

/** Lists closed Sites that may still have Users, after an id. Needs no Site. */
export async function listErasingSites(
  db: Queryable,
  page: { readonly after: SiteId | undefined; readonly limit: number },
): Promise<SiteId[]> {
  const { rows } = await db.query<{ id: SiteId }>(sql`
    select id from signet.list_erasing_site_ids(${page.after ?? null}, ${page.limit}) as id`);
  return rows.map(({ id }) => id);
}

/**
 * Lists webhooks of deleted Sites that have nothing more to post, or have had the time for it if
 * the Site's last User was deleted before. Needs no Site.
 */
export async function listLeftWebhooks(
  db: Queryable,
  endedBefore: Date,
  limit: number,
): Promise<WebhookRef[]> {
  const { rows } = await db.query<{ site_id: SiteId; id: WebhookId }>(sql`
    select site_id, id from signet.list_left_webhooks(${endedBefore}, ${limit}::integer)`);
  return rows.map(({ site_id: siteId, id }) => ({ siteId, id }));
}

/** A stretch of the Users of a Site. */
export interface UserStretch {
  /** Those of it who are not deleted. */
  readonly living: readonly UserId[];
  /** The last of it; absent: there is nobody after. */
  readonly end: UserId | undefined;
}

/**
 * Finds the next Users of a Site, in the order of their ids: at most `limit` who are not deleted,
 * among at most `scanMax`.
 */
export async function nextUsers(
  db: Queryable,
  siteId: SiteId,
  page: { readonly after: UserId | undefined; readonly limit: number; readonly scanMax: number },
): Promise<UserStretch> {
  const { rows } = await db.query<{ id: UserId; living: boolean }>(indexed`
    with stretch as materialized (
      select id, state <> 'deleted' as living
        from signet.users
       where site_id = ${siteId}
         and ${page.after ? fragment`id > ${page.after}` : fragment`true`}
       order by id
       limit ${page.scanMax})
    select id, living from stretch
     where living or id = (select id from stretch order by id desc limit 1)
     order by id
     limit ${page.limit}`);
  return {
    living: rows.filter(({ living }) => living).map(({ id }) => id),
    end: rows.at(-1)?.id,
  };
}

/** The lock of whoever deletes Users of closed Sites: one at a time, so that other jobs run. */
export async function tryErasureLock(db: Queryable): Promise<boolean> {
  const { rows } = await db.query<{ taken: boolean }>(sql`
    select pg_try_advisory_xact_lock(5678, 3) as taken`);
  return rows[0]?.taken === true;
}

/** The task that deletes the Users of closed Sites. */
export const ERASURE_TASK = "erase_sites";

/** Has a worker begin at once, in the transaction that closes a Site. */
export async function addErasureJob(db: Queryable): Promise<void> {
  await db.query(sql`
    select graphile_worker.add_job(${ERASURE_TASK}, '{}'::json, job_key => ${ERASURE_TASK},
                                   max_attempts => 1)`);
}
