import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { clientsOf } from "./builders.ts";
import { createChangeGenerator } from "./change-generator.ts";
import { recountHead } from "./change-race.ts";
import { runAsAdmin } from "./database.ts";
import {
  type FaultReaders,
  openFaultReaders,
  type ReaderCounts,
  type ReaderReply,
} from "./fault-readers.ts";
import { createFaultWriters, type FaultWriters } from "./fault-writers.ts";
import { type KillableSignet, openKillableSignet } from "./killable-signet.ts";
import { auditLog } from "./log-audit.ts";
import { renameTogether } from "./rename-together.ts";
import { until } from "./waiting.ts";

/** How much is written, who follows, and what is killed meanwhile. */
export interface FaultPlan {
  readonly changes: number;
  /** After so long the writers stop with fewer changes; the kills are spread over this time too. */
  readonly minutesMax?: number;
  /** Writers that call the service, one change at a time. */
  readonly writers: number;
  /** Writers of transactions with many changes each, beside the service. */
  readonly bulkWriters: number;
  readonly users: number;
  /** Processes of the service. */
  readonly processes: number;
  readonly readers: ReaderCounts;
  /** Processes among which the readers are shared out. */
  readonly readerProcesses: number;
  /** A follower leaves after so many frames at most. */
  readonly framesMax: number;
  readonly serviceKills: number;
  readonly postgresKills: number;
}

/** What came of it. */
export interface FaultReport {
  /** What must be empty: everything that was lost, doubled, out of order or unforeseen. */
  readonly faults: readonly string[];
  readonly changes: number;
  readonly confirmed: number;
  /** Of these, what was written by calls of the service. */
  readonly called: number;
  readonly seconds: number;
  /** Streams and mirrors that were opened. */
  readonly openings: number;
  /** Changes that came again after a resume. */
  readonly repeats: number;
  /** Checkpoints whose sums were compared. */
  readonly compared: number;
}

const ROUND_MS_MAX = 15 * 60_000;
const SETTLE_MS_MAX = 60_000;
const FAULTS_SHOWN_MAX = 50;

/**
 * Writes, follows and kills, all at once; then looks at what the log, the table and each mirror
 * hold. Writers count what the service has confirmed to them, and nothing of that may be lost.
 */
export async function runFaults(plan: FaultPlan, signal: AbortSignal): Promise<FaultReport> {
  await using signet = await openKillableSignet(plan.processes);
  const { urls, key, db, siteId } = signet;
  const userIds = await createChangeGenerator(db, siteId).fill(plan.users);
  const processes = urls.map((baseUrl) => clientsOf(createGrpcTransport({ baseUrl }), key));
  const rename = (names: ReadonlyMap<string, string>) => renameTogether(db, siteId, names);
  const writers = createFaultWriters({ ...plan, userIds, processes, rename });
  const { appDatabaseUrl } = signet;
  await using readers = await openFaultReaders({ ...plan, urls, key, appDatabaseUrl });
  const beginMs = performance.now();
  const { changes: wanted, minutesMax = Number.POSITIVE_INFINITY } = plan;
  const progress = () => {
    const minutes = (performance.now() - beginMs) / 60_000;
    return Math.max(writers.confirmed() / wanted, minutes / minutesMax);
  };
  await runTogether(signal, (running) => {
    let end = Number.POSITIVE_INFINITY;
    const writing = async () => {
      const killing = killAll(signet, plan, progress, running);
      await Promise.all([writers.run(() => progress() >= 1, running), killing]);
      end = await readSettledEnd(signet);
    };
    return [writing(), readers.followTo(() => end, running)];
  });
  const seconds = (performance.now() - beginMs) / 1_000;
  const { faults, changes, read } = await judge(signet, writers, readers);
  const { openings, repeats, compared } = read;
  return {
    faults: faults.slice(0, FAULTS_SHOWN_MAX),
    confirmed: writers.confirmed(),
    called: writers.confirmed() - writers.renamed(),
    ...{ changes, seconds, openings, repeats, compared },
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

/** Says in one line what a run was like. */
export function describeRun(plan: FaultPlan, report: FaultReport): string {
  const { changes, confirmed, called, seconds, openings, repeats, compared, faults } = report;
  return [
    `${changes} changes (${confirmed} confirmed, ${called} by calls) in ${Math.round(seconds)} s`,
    `${Math.round(changes / seconds)} a second`,
    `${plan.serviceKills} kills of the service, ${plan.postgresKills} of PostgreSQL`,
    `${openings} streams and mirrors opened, ${repeats} changes repeated to them`,
    `${compared} sums compared, ${faults.length} faults`,
  ].join("; ");
}

/** Kills at random moments, all over the run, now a process of the service and now PostgreSQL. */
async function killAll(
  signet: KillableSignet,
  { serviceKills, postgresKills, processes }: FaultPlan,
  progress: () => number,
  signal: AbortSignal,
): Promise<void> {
  const kills = serviceKills + postgresKills;
  for (let done = 0, databases = 0; done < kills; done += 1) {
    const goal = (done + 0.2 + Math.random() * 0.6) / kills;
    await until(() => signal.aborted || progress() >= goal, ROUND_MS_MAX);
    signal.throwIfAborted();
    await sleep(Math.random() * 50); // Not right after a change was confirmed.
    if (databases < Math.floor(((done + 1) * postgresKills) / kills)) {
      databases += 1;
      await signet.killPostgres();
    } else {
      await signet.killService(done % processes);
    }
  }
}

/** What a killed process had begun may still be committed; then every row has a position. */
async function readSettledEnd({ adminUrl, siteId }: KillableSignet): Promise<number> {
  let before = -1;
  return await until(async () => {
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
  }, SETTLE_MS_MAX);
}

/** Lists everything that is not as it must be. */
async function judge(
  signet: KillableSignet,
  writers: FaultWriters,
  readers: FaultReaders,
): Promise<{
  readonly faults: readonly string[];
  readonly changes: number;
  readonly read: ReaderReply;
}> {
  const { adminUrl, siteId } = signet;
  const log = await auditLog(adminUrl, siteId, writers);
  const { kept, recounted } = await recountHead(adminUrl, siteId);
  const faults = [...writers.faults, ...log.faults, ...signet.unexpectedErrors()];
  if (!isDeepStrictEqual(kept, recounted)) faults.push("the sums are not those of the table");
  const read = await readers.judge(log.end, log.rows);
  return { faults: [...faults, ...read.faults], changes: log.end, read };
}
