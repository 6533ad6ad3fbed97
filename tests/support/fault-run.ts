import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { createStreamTransport } from "../../src/client/transport.ts";
import { type Clients, clientsOf } from "./builders.ts";
import { withDeadline } from "./calls-with-deadline.ts";
import { createChangeGenerator } from "./change-generator.ts";
import { recountHead } from "./change-race.ts";
import { runAsAdmin } from "./database.ts";
import {
  type FaultReaders,
  openFaultReaders,
  type ReaderCounts,
  type ReaderReply,
} from "./fault-readers.ts";
import { type FaultRefreshers, openFaultRefreshers } from "./fault-refreshers.ts";
import type { FaultScene, PlannedFault } from "./fault-scene.ts";
import { strike } from "./fault-strikes.ts";
import { openFaultScene } from "./fault-surroundings.ts";
import { createFaultWriters, type FaultWriters } from "./fault-writers.ts";
import type { KillableSignet } from "./killable-signet.ts";
import { auditLog } from "./log-audit.ts";
import { createOperationLog, type OperationLog } from "./operation-log.ts";
import { renameTogether } from "./rename-together.ts";
import { until } from "./waiting.ts";

/** How much is written, who follows, and what is done meanwhile. */
export interface FaultPlan {
  /** So many at least; the faults are spread over them. 0: as many as come while they strike. */
  readonly changes: number;
  /** After so long the writers stop with fewer changes; faults are spread over this time too. */
  readonly minutesMax?: number;
  /** Writers that call the service, one change at a time. */
  readonly writers: number;
  /** Writers of transactions with many changes each, beside the service. */
  readonly bulkWriters: number;
  /** Holders of Sessions, who refresh them all the time. */
  readonly refreshers: number;
  readonly users: number;
  /** Processes of the service. */
  readonly processes: number;
  /** As in {@link openFaultScene}; needed by all faults but kills. */
  readonly diskMegabytes?: number;
  readonly readers: ReaderCounts;
  /** Processes among which the readers are shared out. */
  readonly readerProcesses: number;
  /** A follower leaves after so many frames at most. */
  readonly framesMax: number;
  /** What strikes, in this order. */
  readonly strikes: readonly PlannedFault[];
  /** How long a client waits for an answer. */
  readonly callMsMax: number;
}

/** What came of it. */
export interface FaultReport {
  /** What must be empty: what was acknowledged, and is not there as it was. */
  readonly lost: readonly string[];
  /** What must be empty too: all that was doubled, forked, out of order or unforeseen. */
  readonly faults: readonly string[];
  readonly log: OperationLog;
  readonly changes: number;
  /** Of the changes acknowledged, those that were written by calls of the service. */
  readonly called: number;
  readonly seconds: number;
  /** How often somebody signed in anew, who had come back too late for an answer that was lost. */
  readonly lateReturns: number;
  readonly read: ReaderReply;
}

const ROUND_MS_MAX = 15 * 60_000;
/** A call without a limit of its own, such as those of somebody who signs up, ends after this. */
const CALL_MS_MAX = 15_000;
/** Within this time after a fault the clients have a connection to each process again. */
const SERVED_MS_MAX = 60_000;
const SETTLE_MS_MAX = 60_000;
const MAIL_MS_MAX = 150_000;
const FAULTS_SHOWN_MAX = 50;
/** Between two faults so much is acknowledged at least, or the service has not recovered. */
const CHANGES_BETWEEN = 30;

/**
 * Writes, follows and strikes, all at once; then looks at what the log, the table and each mirror
 * hold. Clients log what the service has acknowledged to them, and nothing of that may be lost.
 */
export async function runFaults(
  plan: FaultPlan,
  signal: AbortSignal,
  tell: (fault: PlannedFault) => void = () => undefined,
): Promise<FaultReport> {
  await using scene = await openFaultScene(plan);
  const { signet } = scene;
  const { urls, key, db, siteId, appDatabaseUrl } = signet;
  const log = createOperationLog();
  const userIds = await createChangeGenerator(db, siteId).fill(plan.users);
  // Like the client library, it leaves a connection that has fallen silent; it repeats nothing.
  const transports = urls.map((url) => createStreamTransport({ url, key, protocol: "grpc" }));
  const processes = transports.map((each) => clientsOf(withDeadline(each, CALL_MS_MAX)));
  const rename = (names: ReadonlyMap<string, string>) => renameTogether(db, siteId, names);
  const isTwice = () => scene.habits.twice;
  const clients = { ...plan, log, processes, isTwice };
  const writers = createFaultWriters({ ...clients, userIds, rename });
  const refreshers = await openFaultRefreshers(clients);
  await using readers = await openFaultReaders({ ...plan, urls, key, appDatabaseUrl });
  const beginMs = performance.now();
  const progress = progressOf(plan, log);
  await runTogether(signal, (running) => {
    let end = Number.POSITIVE_INFINITY;
    const writing = async () => {
      let struck = false;
      const striking = strikeAll({ scene, plan, log, progress, tell, processes }, running).then(
        () => {
          struck = true;
        },
      );
      const isOver = () => struck && progress() >= 1;
      await Promise.all([writers.run(isOver, running), refreshers.run(isOver, running), striking]);
      end = await readSettledEnd(signet, running);
    };
    return [writing(), readers.followTo(() => end, running)];
  });
  const seconds = (performance.now() - beginMs) / 1_000;
  await refreshers.settle(signal);
  for (const transport of transports) transport.close();
  return {
    ...(await judge(scene, { log, writers, refreshers, readers }, signal)),
    log,
    seconds,
    lateReturns: refreshers.lateReturns(),
    called: log.acknowledged() - writers.renamed(),
  };
}

function progressOf({ changes, minutesMax }: FaultPlan, log: OperationLog): () => number {
  const beginMs = performance.now();
  return () => {
    const minutes = (performance.now() - beginMs) / 60_000;
    const written = changes === 0 ? 1 : log.acknowledged() / changes;
    return Math.max(written, minutes / (minutesMax ?? Number.POSITIVE_INFINITY));
  };
}

/** Where one fails, the others are ended before that is told of. */
async function runTogether(
  signal: AbortSignal,
  begin: (running: AbortSignal) => readonly Promise<void>[],
): Promise<void> {
  const ended = new AbortController();
  const tasks = begin(AbortSignal.any([signal, ended.signal]));
  try {
    await Promise.all(tasks);
  } finally {
    ended.abort();
    await Promise.allSettled(tasks);
  }
}

interface Striking {
  readonly scene: FaultScene;
  readonly plan: FaultPlan;
  readonly log: OperationLog;
  readonly progress: () => number;
  readonly tell: (fault: PlannedFault) => void;
  readonly processes: readonly Pick<Clients, "users">[];
}

/** Strikes at random moments, all over the run, and only where writes are acknowledged again. */
async function strikeAll(
  { scene, plan, log, progress, tell, processes }: Striking,
  signal: AbortSignal,
): Promise<void> {
  const { strikes, changes } = plan;
  for (const [n, fault] of strikes.entries()) {
    const goal = changes === 0 ? 0 : (n + 0.2 + Math.random() * 0.6) / strikes.length;
    const before = log.acknowledged();
    const mayStrike = () => progress() >= goal && log.acknowledged() >= before + CHANGES_BETWEEN;
    await until(mayStrike, ROUND_MS_MAX, signal);
    await sleep(Math.random() * 50); // Not right after a change was acknowledged.
    tell(fault);
    await strike(scene, fault, signal);
    const limits = { timeoutMs: plan.callMsMax };
    for (const { users } of processes) {
      await until(() => users.countUsers({}, limits), SERVED_MS_MAX, signal);
    }
  }
}

/** What a killed process had begun may still be committed; then every row has a position. */
async function readSettledEnd(
  { adminUrl, siteId }: KillableSignet,
  signal: AbortSignal,
): Promise<number> {
  let before = -1;
  const readOnce = async (): Promise<number | undefined> => {
    const [row] = await runAsAdmin<{ readonly waiting: string; readonly position: string }>(
      adminUrl,
      `select (select count(*) from signet.users u
                where site_id = '${siteId}' and not exists (
                      select from signet.changes c
                       where c.site_id = u.site_id and c.user_id = u.id
                         and c.version = u.version)) as waiting,
              (select position from signet.site_heads where site_id = '${siteId}') as position`,
    );
    const settled = row?.waiting === "0" && Number(row.position) === before;
    before = Number(row?.position);
    await sleep(300);
    return settled ? before : undefined;
  };
  return await until(readOnce, SETTLE_MS_MAX, signal);
}

interface Played {
  readonly log: OperationLog;
  readonly writers: FaultWriters;
  readonly refreshers: FaultRefreshers;
  readonly readers: FaultReaders;
}

/** Lists everything that is not as it must be. */
async function judge(
  { signet, mailboxes, mailed }: FaultScene,
  { log, writers, refreshers, readers }: Played,
  signal: AbortSignal,
): Promise<Pick<FaultReport, "lost" | "faults" | "changes" | "read">> {
  const { adminUrl, siteId } = signet;
  const audit = await auditLog(adminUrl, siteId, log.entries);
  const { kept, recounted } = await recountHead(adminUrl, siteId);
  const read = await readers.judge(audit.end, audit.rows);
  const lost = [...audit.lost];
  const isDelivered = (to: string) => mailboxes.some(({ delivered }) => delivered.has(to));
  await until(() => mailed.every(isDelivered), MAIL_MS_MAX, signal).catch(() => {
    signal.throwIfAborted();
    lost.push(`of ${mailed.length} mails not all have been delivered`);
  });
  const faults = [
    ...[...writers.faults, ...audit.faults, ...(await refreshers.judge(adminUrl))],
    ...[...signet.unexpectedErrors(), ...read.faults],
  ];
  if (!isDeepStrictEqual(kept, recounted)) faults.push("the sums are not those of the table");
  const shown = {
    lost: lost.slice(0, FAULTS_SHOWN_MAX),
    faults: faults.slice(0, FAULTS_SHOWN_MAX),
  };
  return { ...shown, changes: audit.end, read };
}
