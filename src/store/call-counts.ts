import { type Queryable, sql } from "./sql.ts";

/** So many calls of one key, made by this process and not yet told to the others. */
export interface CallCount {
  readonly key: Buffer;
  readonly calls: number;
}

/**
 * Adds calls to what all processes have counted within a window, and returns the sums, in no
 * order. Needs no Site.
 */
export async function addCallCounts(
  db: Queryable,
  windowEnd: Date,
  counts: readonly CallCount[],
): Promise<CallCount[]> {
  const keys = counts.map(({ key }) => key);
  const calls = counts.map((count) => count.calls);
  // In one order, so that two processes never wait for each other in a circle.
  const { rows } = await db.query<CallCount>(sql`
    insert into signet.call_counts as c (key, window_end, calls)
    select key, ${windowEnd}, calls from unnest(${keys}::bytea[], ${calls}::bigint[]) n (key, calls)
     order by key
        on conflict (window_end, key) do update set calls = c.calls + excluded.calls
    returning key, calls`);
  return rows;
}
