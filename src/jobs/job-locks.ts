import type { Task } from "graphile-worker";
import type { Logger } from "pino";
import { freeJobLocks, keepJobLocks } from "../store/job-locks.ts";
import type { Queryable } from "../store/sql.ts";

/** The locks of the jobs that this process runs. */
export interface JobLocks {
  /** Has the locks of these tasks' jobs kept while they run. */
  keptFor(tasks: Readonly<Record<string, Task>>): Record<string, Task>;
  /** Begins to keep what is under way, and to free what nobody keeps. */
  start(): void;
  stop(): void;
}

const CARE_MS = 20_000;
const UNKEPT_SECONDS = 90;

/**
 * Creates the care for locks: a job whose process was killed runs again within two minutes, where
 * graphile-worker alone would leave it, and its queue, for four hours.
 */
export function createJobLocks(db: Queryable, log: Logger): JobLocks {
  const underWay = new Set<string>();
  let timer: NodeJS.Timeout | undefined;

  const kept =
    (task: Task): Task =>
    async (payload, helpers) => {
      underWay.add(helpers.job.id);
      try {
        return await task(payload, helpers);
      } finally {
        underWay.delete(helpers.job.id);
      }
    };

  async function care(): Promise<void> {
    try {
      if (underWay.size > 0) await keepJobLocks(db, [...underWay]);
      const jobs = await freeJobLocks(db, UNKEPT_SECONDS);
      if (jobs > 0) log.warn({ jobs }, "jobs of a process that is gone run again");
    } catch (error) {
      log.debug({ err: error }, "the locks of jobs were not cared for");
    }
  }

  return {
    keptFor: (tasks) =>
      Object.fromEntries(Object.entries(tasks).map(([name, task]) => [name, kept(task)])),
    start() {
      timer = setInterval(() => void care(), CARE_MS);
      timer.unref();
    },
    stop: () => clearInterval(timer),
  };
}
