import { type Queryable, sql } from "./sql.ts";

/**
 * Keeps the locks of jobs that are under way, and of their queues.
 *
 * graphile-worker has no call for it: it takes a lock once, and leaves it for four hours.
 */
export async function keepJobLocks(db: Queryable, jobIds: readonly string[]): Promise<void> {
  await db.query(sql`
    with kept as (
      update graphile_worker._private_jobs
         set locked_at = now()
       where id = any(${jobIds}::bigint[]) and locked_at is not null
      returning job_queue_id
    )
    update graphile_worker._private_job_queues q
       set locked_at = now()
      from kept
     where q.id = kept.job_queue_id and q.locked_at is not null`);
}

/**
 * Frees the jobs and queues whose lock nobody has kept for so long: the process was killed, or the
 * database was away when the job ended. Returns how many jobs can run again.
 */
export async function freeJobLocks(db: Queryable, unkeptSeconds: number): Promise<number> {
  const { rowCount } = await db.query(sql`
    with queues as (
      update graphile_worker._private_job_queues
         set locked_at = null, locked_by = null
       where locked_at < now() - make_interval(secs => ${unkeptSeconds})
    )
    update graphile_worker._private_jobs
       set locked_at = null, locked_by = null
     where locked_at < now() - make_interval(secs => ${unkeptSeconds})`);
  return rowCount ?? 0;
}
