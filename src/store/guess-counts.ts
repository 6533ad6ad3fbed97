import type { AccountId, SiteId } from "../model/id.ts";
import { enqueue, hot, type Queryable, sql } from "./sql.ts";

/** Which counter a guess belongs to. */
export interface GuessCounter {
  readonly accountId: AccountId;
  /** Empty: that of guesses from anywhere but known devices. */
  readonly deviceHash: Buffer;
}

/** A guess that may be checked. */
export interface CountedGuess {
  /** Whether it was the last one before the lock. */
  readonly locked: boolean;
  /** Whether the audit log has been told of a wrong guess since the counter began. */
  readonly told: boolean;
}

/**
 * Counts a guess that has yet to be checked, unless its counter is locked, which answers with
 * undefined. The one that reaches `max` locks the counter for those that follow, which then do
 * not even wait for each other: they see the lock before they would take the row's.
 */
export async function countGuess(
  db: Queryable,
  siteId: SiteId,
  { accountId, deviceHash }: GuessCounter,
  bounds: { readonly max: number; readonly now: Date; readonly lockUntil: Date },
): Promise<CountedGuess | undefined> {
  const { max, now, lockUntil } = bounds;
  const { rows } = await db.query<CountedGuess>(hot`
    insert into signet.guess_counts as g
           (site_id, account_id, device_hash, guesses, lock_expire_time, update_time)
    select ${siteId}, ${accountId}, ${deviceHash}, 1,
           case when ${max}::integer <= 1 then ${lockUntil}::timestamptz end, ${now}::timestamptz
     where not exists (
             select from signet.guess_counts e
              where e.site_id = ${siteId} and e.account_id = ${accountId}
                and e.device_hash = ${deviceHash} and e.lock_expire_time > ${now})
        on conflict (site_id, account_id, device_hash) do update
       set guesses = case when g.lock_expire_time is null then g.guesses + 1 else 1 end,
           lock_expire_time = case when g.lock_expire_time is null and g.guesses + 1 >= ${max}
                                   then ${lockUntil}::timestamptz end,
           told = g.told and g.lock_expire_time is null,
           update_time = ${now}
     where g.lock_expire_time is null or g.lock_expire_time <= ${now}
    returning lock_expire_time is not null as locked, told`);
  return rows[0];
}

/** Notes that the audit log is told of a wrong guess; of any number of callers, one gets true. */
export async function markTold(
  db: Queryable,
  siteId: SiteId,
  { accountId, deviceHash }: GuessCounter,
): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    update signet.guess_counts set told = true
     where site_id = ${siteId} and account_id = ${accountId} and device_hash = ${deviceHash}
       and not told`);
  return rowCount === 1;
}

/** Takes a counted guess back that does not count after all, so that another may be checked. */
export async function uncountGuess(
  db: Queryable,
  siteId: SiteId,
  { accountId, deviceHash }: GuessCounter,
): Promise<void> {
  const statement = hot`
    update signet.guess_counts set guesses = guesses - 1, lock_expire_time = null
     where site_id = ${siteId} and account_id = ${accountId} and device_hash = ${deviceHash}
       and guesses > 0`;
  await enqueue(db, statement);
}

/** Forgets the guesses of one counter, and lifts its lock. */
export async function clearGuessCount(
  db: Queryable,
  siteId: SiteId,
  { accountId, deviceHash }: GuessCounter,
): Promise<void> {
  const statement = hot`
    delete from signet.guess_counts
     where site_id = ${siteId} and account_id = ${accountId} and device_hash = ${deviceHash}`;
  await enqueue(db, statement);
}

/** Forgets the guesses at an account from everywhere, and lifts every lock. */
export async function clearGuessCounts(
  db: Queryable,
  siteId: SiteId,
  accountId: AccountId,
): Promise<void> {
  const statement = hot`
    delete from signet.guess_counts where site_id = ${siteId} and account_id = ${accountId}`;
  await enqueue(db, statement);
}
