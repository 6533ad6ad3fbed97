import { afterAll, beforeAll, expect, test } from "vitest";
import { freeJobLocks, keepJobLocks } from "../../src/store/job-locks.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await openTestDatabase();
});

afterAll(() => database[Symbol.asyncDispose]());

test("a job whose lock nobody keeps can run again, and its queue; a kept one cannot", async () => {
  const [lost, kept, fresh] = await Promise.all([
    lockedJob({ queue: "lost", agoSeconds: 91 }),
    lockedJob({ queue: "kept", agoSeconds: 91 }),
    lockedJob({ queue: "fresh", agoSeconds: 80 }),
  ]);
  const db = { query: database.db.acrossSites };

  await keepJobLocks(db, [kept]);
  const freed = await freeJobLocks(db, 90);

  expect(freed).toBe(1);
  expect(await lockedJobs()).toEqual([kept, fresh].toSorted());
  expect(await lockedQueues()).toEqual(["fresh", "kept"]);
  const { rows } = await database.db.directPool.query<{ locked_by: string | null }>(
    `select locked_by from graphile_worker._private_jobs where id = ${lost}`,
  );
  expect(rows).toEqual([{ locked_by: null }]);
});

/** Leaves a job as a process does that is killed while it runs it. */
async function lockedJob(lock: { readonly queue: string; readonly agoSeconds: number }) {
  const [job] = await runAsAdmin<{ id: string; queue: string }>(
    database.adminUrl,
    `select id::text from graphile_worker.add_job('nothing', '{}', queue_name => '${lock.queue}')`,
  );
  const id = job?.id ?? "";
  const lockedAt = `now() - interval '${lock.agoSeconds} seconds'`;
  await runAsAdmin(
    database.adminUrl,
    `update graphile_worker._private_job_queues
        set locked_at = ${lockedAt}, locked_by = 'worker-gone' where queue_name = '${lock.queue}';
     update graphile_worker._private_jobs
        set locked_at = ${lockedAt}, locked_by = 'worker-gone' where id = ${id}`,
  );
  return id;
}

async function lockedJobs(): Promise<string[]> {
  const rows = await runAsAdmin<{ id: string }>(
    database.adminUrl,
    "select id::text from graphile_worker._private_jobs where locked_by is not null",
  );
  return rows.map(({ id }) => id).toSorted();
}

async function lockedQueues(): Promise<string[]> {
  const rows = await runAsAdmin<{ name: string }>(
    database.adminUrl,
    `select queue_name as name from graphile_worker._private_job_queues
      where locked_by is not null`,
  );
  return rows.map(({ name }) => name).toSorted();
}
