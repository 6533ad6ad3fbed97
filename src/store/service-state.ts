import type { MirrorId, SiteId } from "../model/id.ts";
import { type Queryable, sql } from "./sql.ts";

/** Where the log of changes stands, over all Sites. */
export interface LogState {
  /** Changes that wait for their positions, as far as they were counted. */
  readonly unnumbered: number;
  /** Since when the oldest of them waits. */
  readonly since: Date | undefined;
  readonly head: number;
}

/** How a Mirror is doing. */
export interface MirrorState {
  readonly siteId: SiteId;
  readonly id: MirrorId;
  readonly lagChanges: number;
  /** When the first Change was made that it lacks; absent: it lacks none that is kept. */
  readonly firstLackedTime: Date | undefined;
  readonly reportTime: Date;
  /** At its last Checkpoint; negative: it has some too many. */
  readonly usersLacking: number;
  /** Rows that its last comparison found wrong and has not repaired. */
  readonly differences: number;
  readonly diverged: boolean;
  readonly foreignWrites: number;
}

/** How the webhooks of all Sites are doing. */
export interface WebhookTotals {
  readonly byState: Readonly<Record<"enabled" | "disabled" | "failed" | "gone", number>>;
  readonly deliveries: Readonly<Record<"pending" | "failing" | "dead", number>>;
  readonly pendingSince: Date | undefined;
}

/** The jobs of one kind in the queue, by what becomes of them. */
export interface JobTotals {
  readonly task: string;
  readonly state: "due" | "later" | "running" | "dead";
  readonly jobs: number;
  readonly since: Date;
}

/** Says where the log stands; counts so many Changes at most. */
export async function readLogState(db: Queryable, limit: number): Promise<LogState> {
  const { rows } = await db.query<{ changes: number; since: Date | null; head: number }>(sql`
    select changes, since, head from signet.unnumbered_changes(${limit}::integer)`);
  const [row] = rows;
  return { unnumbered: row?.changes ?? 0, since: row?.since ?? undefined, head: row?.head ?? 0 };
}

/** Lists so many Mirrors at most, those furthest behind first, and says how many there are. */
export async function listMirrorStates(
  db: Queryable,
  limit: number,
): Promise<{ readonly mirrors: readonly MirrorState[]; readonly total: number }> {
  const { rows } = await db.query<{
    site_id: SiteId;
    id: MirrorId;
    lag_changes: number;
    first_lacked_time: Date | null;
    report_time: Date;
    users_lacking: number;
    differences: number;
    diverged: boolean;
    foreign_writes: number;
    total: number;
  }>(sql`
    select site_id, id, lag_changes, first_lacked_time, report_time, users_lacking, differences,
           diverged, foreign_writes, total
      from signet.list_mirror_states(${limit}::integer)`);
  const mirrors = rows.map((row) => ({
    siteId: row.site_id,
    id: row.id,
    lagChanges: row.lag_changes,
    firstLackedTime: row.first_lacked_time ?? undefined,
    reportTime: row.report_time,
    usersLacking: row.users_lacking,
    differences: row.differences,
    diverged: row.diverged,
    foreignWrites: row.foreign_writes,
  }));
  return { mirrors, total: rows[0]?.total ?? 0 };
}

/** Counts webhooks, and so many of their deliveries at most. */
export async function countWebhooks(db: Queryable, limit: number): Promise<WebhookTotals> {
  const { rows } = await db.query<
    Record<"enabled" | "disabled" | "failed" | "gone", number> &
      Record<"pending" | "failing" | "dead", number> & { pending_since: Date | null }
  >(sql`
    select enabled, disabled, failed, gone, pending, failing, dead, pending_since
      from signet.webhook_totals(${limit}::integer)`);
  const [row] = rows;
  if (!row) throw new Error("webhook_totals returned no row");
  const { enabled, disabled, failed, gone, pending, failing, dead } = row;
  return {
    byState: { enabled, disabled, failed, gone },
    deliveries: { pending, failing, dead },
    pendingSince: row.pending_since ?? undefined,
  };
}

/** Counts the jobs of the queue. One that has used up its attempts is dead, and stays. */
export async function countJobs(db: Queryable): Promise<JobTotals[]> {
  const { rows } = await db.query<JobTotals>(sql`
    select task, state, count(*) as jobs, min(run_at) as since
      from (select t.identifier as task, j.run_at,
                   case when j.locked_at is not null then 'running'
                        when j.attempts >= j.max_attempts then 'dead'
                        when j.run_at <= now() then 'due'
                        else 'later' end as state
              from graphile_worker._private_jobs j
              join graphile_worker._private_tasks t on t.id = j.task_id) jobs
     group by task, state
     order by task, state`);
  return rows;
}
