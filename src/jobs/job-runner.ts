import {
  type JobHelpers,
  parseCronItems,
  Logger as QueueLogger,
  type Runner,
  run,
} from "graphile-worker";
import type { Logger } from "pino";
import type { Retention } from "../model/retention.ts";
import type { Database } from "../store/database.ts";
import { MAIL_TASK, type MailJob } from "../store/mail-jobs.ts";
import { isPassing } from "../store/postgres-errors.ts";
import { ERASURE_TASK } from "../store/site-deletion.ts";
import type { Queryable } from "../store/sql.ts";
import { countedTasks } from "./counted-tasks.ts";
import { eraseSites } from "./erase-sites.ts";
import { createJobLocks } from "./job-locks.ts";
import { keepRetention } from "./retention.ts";
import { isPermanent, type MailDeps, sendMail } from "./send-mail.ts";
import { careForSigningKeys, type SigningKeyCare } from "./signing-keys.ts";
import type { WorkCounts } from "./work-counts.ts";

/** The background work of this process. */
export interface JobRunner {
  /** Finishes the jobs under way and takes no more. */
  stop(): Promise<void>;
}

const CONCURRENCY = 2;
const POLL_MS = 2_000;
const RETENTION_TASK = "keep_retention";
/** One at a time over all processes; one that fails is not tried again, since the next is near. */
const RETENTION_JOB = { queueName: RETENTION_TASK, jobKey: RETENTION_TASK, maxAttempts: 1 };
const RETENTION_TIMES = "*/5 * * * *";
const KEYS_TASK = "care_for_signing_keys";
const KEYS_JOB = { queueName: KEYS_TASK, jobKey: KEYS_TASK, maxAttempts: 1 };
const KEYS_TIMES = "* * * * *";
/** In no queue: one that a killed process has left locked would hold the next up. */
const ERASURE_JOB = { jobKey: ERASURE_TASK, maxAttempts: 1 };
const ERASURE_TIMES = "* * * * *";
const ENDING_JOB = /graphile-worker[^\n]*[/\\](complete|fail)Jobs?\.js/;

/**
 * Starts to work on the queue. Any number of processes may: each job runs on one of them, and is
 * tried again with growing delays until it succeeds or has failed 25 times.
 */
export async function startJobs(options: {
  readonly db: Pick<Database, "acrossSites" | "directPool">;
  readonly mail: MailDeps;
  readonly retention: Retention;
  readonly signingKeys: SigningKeyCare;
  /** Where what is done is counted. */
  readonly counts: WorkCounts;
  readonly log: Logger;
}): Promise<JobRunner> {
  const { db, mail, retention, signingKeys, counts, log } = options;
  const across: Queryable = { query: (statement) => db.acrossSites(statement) };
  const locks = createJobLocks(across, log);
  const runner = await run({
    pgPool: db.directPool,
    concurrency: CONCURRENCY,
    pollInterval: POLL_MS,
    noHandleSignals: true,
    logger: toQueueLogger(log),
    taskList: locks.keptFor(
      countedTasks(counts, {
        [MAIL_TASK]: (payload, helpers) =>
          runMail({ mail, counts, log }, payload as MailJob, helpers),
        [RETENTION_TASK]: async (_payload, { abortSignal }) => {
          await keepRetention(across, retention, log, abortSignal);
        },
        [ERASURE_TASK]: (_payload, { abortSignal }) => eraseSites(mail.deps, log, abortSignal),
        [KEYS_TASK]: () => careForSigningKeys(signingKeys, log),
      }),
    ),
    parsedCronItems: parseCronItems([
      { task: RETENTION_TASK, match: RETENTION_TIMES, options: RETENTION_JOB },
      { task: ERASURE_TASK, match: ERASURE_TIMES, options: ERASURE_JOB },
      { task: KEYS_TASK, match: KEYS_TIMES, options: KEYS_JOB },
    ]),
  });
  runner.promise.catch((error: unknown) => log.error({ err: error }, "job queue has stopped"));
  await addFirstJobs(runner).catch((error: unknown) => {
    if (!isPassing(error)) throw error;
    log.warn({ err: error }, "database is away: the first jobs come by the clock");
  });
  locks.start();
  return {
    async stop() {
      await runner.stop();
      locks.stop();
    },
  };
}

/** At the start, too: another process may have been killed at it. */
async function addFirstJobs(runner: Runner): Promise<void> {
  await runner.addJob(RETENTION_TASK, {}, RETENTION_JOB);
  await runner.addJob(ERASURE_TASK, {}, ERASURE_JOB);
}

/**
 * Tells whether a rejection that nobody awaits is that of a job which has ended while the database
 * was away or full, and stays in the queue: graphile-worker 0.18 does not wait for what it writes
 * then. The job is run again once nobody has kept its lock for a while.
 */
export function isUnwrittenEnd(error: unknown): boolean {
  return isPassing(error) && error instanceof Error && ENDING_JOB.test(error.stack ?? "");
}

interface MailRun {
  readonly mail: MailDeps;
  readonly counts: WorkCounts;
  readonly log: Logger;
}

/** A mail that no server will ever take is given up, and stays in the log. */
async function runMail(
  { mail, counts, log }: MailRun,
  job: MailJob,
  { job: queued }: JobHelpers,
): Promise<void> {
  const { siteId, userId } = job;
  const { id } = queued;
  try {
    const sent = await sendMail(mail, queued, job);
    counts.mails.add(sent ? "sent" : "dropped");
    log.info({ mail: job.mail, siteId, userId, jobId: id }, sent ? "mail sent" : "mail dropped");
  } catch (error) {
    log.warn({ err: error, mail: job.mail, siteId, userId, jobId: id }, "mail not sent");
    counts.mails.add(isPermanent(error) ? "given_up" : "failed");
    if (!isPermanent(error)) throw error;
  }
}

/** The queue's own texts can hold payloads, so only errors of it are told, and by level. */
function toQueueLogger(log: Logger): QueueLogger {
  return new QueueLogger(() => (level, message) => {
    if (level === "error") log.error({ queue: message.slice(0, 200) }, "job queue");
    else if (level === "warning") log.warn({ queue: message.slice(0, 200) }, "job queue");
    else log.debug({ queue: message.slice(0, 200) }, "job queue");
  });
}
