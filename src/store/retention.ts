import { type Queryable, sql } from "./sql.ts";

/** What came of an attempt to drop a part of the log; `busy`: try again, the log is in use. */
export type DropOutcome = "dropped" | "none" | "busy";

/**
 * Drops the oldest partition of the log, if each Change in it is older than `days` and at least
 * `rows` later ones are kept.
 */
export async function dropOldChanges(
  db: Queryable,
  { days, rows: kept }: { readonly days: number; readonly rows: number },
): Promise<DropOutcome> {
  const { rows } = await db.query<{ outcome: number }>(sql`
    select signet.drop_old_changes(${days}::integer, ${kept}::bigint) as outcome`);
  const outcome = rows[0]?.outcome ?? 0;
  if (outcome < 0) return "busy";
  return outcome > 0 ? "dropped" : "none";
}

/**
 * Has partitions of the log hold so many Changes from here on; those with Changes in them stay as
 * they are. False: the log is in use, and it has to be tried again.
 */
export async function sizeChangePartitions(db: Queryable, rowsEach: number): Promise<boolean> {
  const { rows } = await db.query<{ done: boolean }>(sql`
    select signet.size_change_partitions(${rowsEach}::bigint) as done`);
  return rows[0]?.done === true;
}

/** Removes at most `limit` tombstones of all Sites that are older than `days`; returns how many. */
export async function removeTombstones(
  db: Queryable,
  { days, limit }: { readonly days: number; readonly limit: number },
): Promise<number> {
  const { rows } = await db.query<{ count: number }>(sql`
    select signet.remove_tombstones(${days}::integer, ${limit}::integer) as count`);
  return rows[0]?.count ?? 0;
}

/**
 * Removes revocations that have expired, and Sessions and one-time tokens that have been over for
 * `days`, at most `limit` of each kind; returns how many rows in all.
 */
export async function removeExpired(
  db: Queryable,
  { days, limit }: { readonly days: number; readonly limit: number },
): Promise<number> {
  const { rows } = await db.query<{ count: number }>(sql`
    select signet.remove_expired(${days}::integer, ${limit}::integer) as count`);
  return rows[0]?.count ?? 0;
}
