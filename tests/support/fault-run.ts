import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { Pool } from "pg";
import { type Clients, clientsOf } from "./builders.ts";
import { createChangeGenerator } from "./change-generator.ts";
import { recountHead } from "./change-race.ts";
import { runAsAdmin } from "./database.ts";
import { createFaultWriters, type FaultWriters } from "./fault-writers.ts";
import { createFollower, type Follower } from "./follower.ts";
import { type KillableSignet, openKillableSignet } from "./killable-signet.ts";
import { auditLog } from "./log-audit.ts";
import {
  createRestlessMirror,
  type MirrorRow,
  openMemoryPlace,
  openPostgresPlace,
  type RestlessMirror,
} from "./restless-mirror.ts";
import { type Held, sumsOfRows } from "./site-sums.ts";
import { until } from "./waiting.ts";

/** How much is written, who follows, and what is killed meanwhile. */
export interface FaultPlan {
  readonly changes: number;
  readonly writers: number;
  readonly users: number;
  /** Processes of the service. */
  readonly processes: number;
  readonly readers: {
    readonly grpc: number;
    readonly connect: number;
    readonly polls: number;
    readonly memoryMirrors: number;
    readonly postgresMirrors: number;
  };
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
/** How long readers may need after the last change; they have been following all the time. */
const LATE_MS_MAX = 60_000;

/**
 * Writes, follows and kills, all at once; then looks at what the log, the table and each mirror
 * hold. Writers count what the service has confirmed to them, and nothing of that may be lost.
 */
export async function runFaults(plan: FaultPlan, signal: AbortSignal): Promise<FaultReport> {
  await using signet = await openKillableSignet(plan.processes);
  const userIds = await createChangeGenerator(signet.db, signet.siteId).fill(plan.users);
  const writers = createFaultWriters({ ...plan, userIds, processes: clientsOfAll(signet, "grpc") });
  const followers = openFollowers(signet, plan);
  await using pool = openAppPool(signet.appDatabaseUrl, plan.readers.postgresMirrors);
  const mirrors = await openMirrors(signet, plan, pool);
  const beginMs = performance.now();
  const readers = [...followers, ...mirrors];
  await runTogether(signal, (running, giveUp) => {
    let end = Number.POSITIVE_INFINITY;
    const writing = async () => {
      await Promise.all([writers.run(running), killAll(signet, plan, writers, running)]);
      end = await readSettledEnd(signet);
      const late = () => giveUp(new Error(`a reader never came to ${end}: ${listFaults(readers)}`));
      const timer = setTimeout(late, LATE_MS_MAX);
      running.addEventListener("abort", () => clearTimeout(timer));
    };
    return [writing(), ...readers.map((reader) => reader.followTo(() => end, running))];
  });
  const seconds = (performance.now() - beginMs) / 1_000;
  const { faults, changes } = await judge(signet, { writers, followers, mirrors });
  return {
    faults: faults.slice(0, FAULTS_SHOWN_MAX),
    changes,
    confirmed: writers.confirmed(),
    seconds,
    openings: total(followers, "streams") + total(mirrors, "opened"),
    repeats: total(followers, "repeats"),
    compared: total(followers, "compared") + total(mirrors, "compared"),
  };
}

/** Where one fails, the others are ended before that is told of. */
async function runTogether(
  signal: AbortSignal,
  begin: (running: AbortSignal, giveUp: (why: Error) => void) => readonly Promise<void>[],
): Promise<void> {
  const ended = new AbortController();
  const giveUp = (why: Error): void => ended.abort(why);
  const tasks = begin(AbortSignal.any([signal, ended.signal]), giveUp);
  try {
    await Promise.all(tasks);
  } finally {
    ended.abort();
    await Promise.allSettled(tasks);
  }
}

function listFaults(readers: readonly { readonly faults: readonly string[] }[]): string {
  return readers
    .flatMap(({ faults }) => faults)
    .slice(0, FAULTS_SHOWN_MAX)
    .join("; ");
}

/** Says in one line what a run was like. */
export function describeRun(plan: FaultPlan, report: FaultReport): string {
  const { changes, confirmed, seconds, openings, repeats, compared, faults } = report;
  return [
    `${changes} changes (${confirmed} confirmed) in ${Math.round(seconds)} s`,
    `${Math.round(changes / seconds)} a second`,
    `${plan.serviceKills} kills of the service, ${plan.postgresKills} of PostgreSQL`,
    `${openings} streams and mirrors opened, ${repeats} changes repeated to them`,
    `${compared} sums compared, ${faults.length} faults`,
  ].join("; ");
}

function clientsOfAll({ urls, key }: KillableSignet, protocol: "grpc" | "connect"): Clients[] {
  return urls.map((baseUrl) =>
    clientsOf(
      protocol === "grpc"
        ? createGrpcTransport({ baseUrl })
        : createConnectTransport({ baseUrl, httpVersion: "2" }),
      key,
    ),
  );
}

/** Each has connections of its own, as an app has. */
function openFollowers(signet: KillableSignet, { readers, framesMax }: FaultPlan): Follower[] {
  const open = (protocol: "grpc" | "connect", count: number, polls: boolean) =>
    Array.from({ length: count }, (_, n) => {
      const clientId = `${protocol}-${polls}-${n}`;
      return createFollower(clientsOfAll(signet, protocol), { clientId, framesMax, polls });
    });
  return [
    ...open("grpc", readers.grpc, false),
    ...open("connect", readers.connect, false),
    ...open("grpc", readers.polls, true),
  ];
}

function openAppPool(connectionString: string, mirrors: number): Pool & AsyncDisposable {
  const pool = new Pool({ connectionString, max: 1 + 4 * mirrors });
  pool.on("error", () => undefined); // An idle connection was lost; the next one is new.
  return Object.assign(pool, { [Symbol.asyncDispose]: () => pool.end() });
}

async function openMirrors(
  signet: KillableSignet,
  { readers }: FaultPlan,
  pool: Pool,
): Promise<RestlessMirror[]> {
  const { memoryMirrors, postgresMirrors } = readers;
  const mirrors = Array.from({ length: memoryMirrors }, (_, n) =>
    createRestlessMirror(openMemoryPlace(`memory_${n}`), signet),
  );
  for (let n = 0; n < postgresMirrors; n += 1) {
    const place = await openPostgresPlace(`mirror_${n}`, pool);
    mirrors.push(createRestlessMirror(place, signet));
  }
  return mirrors;
}

/** Kills at random moments, all over the run, now a process of the service and now PostgreSQL. */
async function killAll(
  signet: KillableSignet,
  { serviceKills, postgresKills, changes, processes }: FaultPlan,
  writers: FaultWriters,
  signal: AbortSignal,
): Promise<void> {
  const kills = serviceKills + postgresKills;
  for (let done = 0, databases = 0; done < kills; done += 1) {
    const goal = (changes * (done + 0.2 + Math.random() * 0.6)) / kills;
    await until(() => signal.aborted || writers.confirmed() >= goal, ROUND_MS_MAX);
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

interface Readers {
  readonly writers: FaultWriters;
  readonly followers: readonly Follower[];
  readonly mirrors: readonly RestlessMirror[];
}

/** Lists everything that is not as it must be. */
async function judge(
  signet: KillableSignet,
  { writers, followers, mirrors }: Readers,
): Promise<Pick<FaultReport, "faults" | "changes">> {
  const { adminUrl, siteId } = signet;
  const log = await auditLog(adminUrl, siteId, writers);
  const { kept, recounted } = await recountHead(adminUrl, siteId);
  const faults = [...writers.faults, ...log.faults, ...signet.unexpectedErrors()];
  if (!isDeepStrictEqual(kept, recounted)) faults.push("the sums are not those of the table");
  const held = new Map<string, Held>(
    [...log.rows].map(([id, { version, deleted }]) => [id, { version, deleted }]),
  );
  for (const follower of followers) {
    faults.push(...follower.faults);
    if (follower.position() !== log.end) faults.push(`a follower ended at ${follower.position()}`);
    if (!isDeepStrictEqual(follower.mirror, held)) faults.push("a follower differs");
  }
  for (const mirror of mirrors) faults.push(...(await judgeMirror(mirror, log.rows)));
  return { faults, changes: log.end };
}

/** Lists what a mirror, its sums and its app have other than the Site. */
export async function judgeMirror(
  { faults, place, sums }: Pick<RestlessMirror, "faults" | "place" | "sums">,
  wanted: ReadonlyMap<string, MirrorRow>,
): Promise<string[]> {
  const { name } = place;
  const found = [...faults];
  const own = await sums();
  const { count, xor } = sumsOfRows(wanted);
  if (own?.count !== count || own.xor !== xor) found.push(`${name} has other sums`);
  if (!isDeepStrictEqual(await place.rows(), wanted)) found.push(`${name} has other rows`);
  const created = await place.created();
  for (const [id, times] of created) {
    if (times !== 1) found.push(`${name} told its app ${times} times of ${id}`);
  }
  for (const [id, { deleted }] of wanted) {
    if (!deleted && !created.has(id)) found.push(`${name} never told its app of ${id}`);
  }
  return found;
}

function total<Name extends string>(
  readers: readonly Readonly<Record<Name, () => number>>[],
  name: Name,
): number {
  return readers.reduce((sum, reader) => sum + reader[name](), 0);
}
