import { isDeepStrictEqual } from "node:util";
import { Pool } from "pg";
import { answerParent } from "../../bench/child-process.ts";
import { createStreamTransport } from "../../src/client/transport.ts";
import { clientsOf } from "./builders.ts";
import type { ReaderOrder, ReaderReply } from "./fault-readers.ts";
import { createFollower, type Follower } from "./follower.ts";
import { judgeMirror } from "./mirror-judge.ts";
import {
  createRestlessMirror,
  type MirrorRow,
  openMemoryPlace,
  openPostgresPlace,
  type RestlessMirror,
} from "./restless-mirror.ts";
import type { Held } from "./site-sums.ts";

/** A program: some of the readers of a run with faults. */

type Start = Extract<ReaderOrder, { readonly type: "follow" }>;

interface Running {
  readonly followers: readonly Follower[];
  readonly mirrors: readonly RestlessMirror[];
  end: number;
  reached: boolean;
  /** Why one of them has given up. */
  error: unknown;
}

const FAULTS_MAX = 50;

let running: Running | undefined;

answerParent(obey);

async function obey(order: ReaderOrder): Promise<ReaderReply> {
  if (order.type === "follow") running = await start(order);
  if (!running) throw new Error("nobody follows");
  if (running.error !== undefined) throw running.error;
  if (order.type === "look") running.end = order.end;
  const judged = order.type === "judge" ? await judge(running, order.end, order.rows) : [];
  return report(running, judged);
}

async function start(order: Start): Promise<Running> {
  const followers = openFollowers(order);
  const mirrors = await openMirrors(order);
  const begun: Running = {
    followers,
    mirrors,
    end: Number.POSITIVE_INFINITY,
    reached: false,
    error: undefined,
  };
  const never = new AbortController().signal; // Whoever gives the run up ends the process.
  const readers = [...followers, ...mirrors];
  Promise.all(readers.map((reader) => reader.followTo(() => begun.end, never))).then(
    () => {
      begun.reached = true;
    },
    (error: unknown) => {
      begun.error = error;
    },
  );
  return begun;
}

/** Each has connections of its own; as an app's client does, it leaves those that fall silent. */
function openFollowers({ readers, framesMax, prefix, urls, key }: Start): Follower[] {
  const open = (protocol: "grpc" | "connect", count: number, polls: boolean) =>
    Array.from({ length: count }, (_, n) => {
      const clientId = `${prefix}-${protocol}-${polls}-${n}`;
      const processes = urls.map((url) => clientsOf(createStreamTransport({ url, key, protocol })));
      return createFollower(processes, { clientId, framesMax, polls });
    });
  return [
    ...open("grpc", readers.grpc, false),
    ...open("connect", readers.connect, false),
    ...open("grpc", readers.polls, true),
  ];
}

async function openMirrors(order: Start): Promise<RestlessMirror[]> {
  const { readers, prefix, appDatabaseUrl } = order;
  const mirrors = Array.from({ length: readers.memoryMirrors }, (_, n) =>
    createRestlessMirror(openMemoryPlace(`${prefix}_memory_${n}`), order),
  );
  const max = 1 + 4 * readers.postgresMirrors;
  const pool = new Pool({ connectionString: appDatabaseUrl, max });
  pool.on("error", () => undefined); // An idle connection was lost; the next one is new.
  for (let n = 0; n < readers.postgresMirrors; n += 1) {
    const place = await openPostgresPlace(`${prefix}_mirror_${n}`, pool);
    mirrors.push(createRestlessMirror(place, order));
  }
  return mirrors;
}

/** Lists what the copies have other than the Site. */
async function judge(
  { followers, mirrors }: Running,
  end: number,
  rows: ReadonlyMap<string, MirrorRow>,
): Promise<string[]> {
  const faults: string[] = [];
  const held = new Map<string, Held>(
    [...rows].map(([id, { version, deleted }]) => [id, { version, deleted }]),
  );
  for (const follower of followers) {
    if (follower.position() !== end) faults.push(`a follower ended at ${follower.position()}`);
    if (!isDeepStrictEqual(follower.mirror, held)) faults.push("a follower differs");
  }
  for (const mirror of mirrors) faults.push(...(await judgeMirror(mirror, rows)));
  return faults;
}

function report(
  { followers, mirrors, reached, end }: Running,
  judged: readonly string[],
): ReaderReply {
  const behind = followers.map((follower) => follower.position()).filter((at) => at < end);
  const faults = [...followers, ...mirrors].flatMap((reader) => reader.faults);
  return {
    faults: [...faults, ...judged].slice(0, FAULTS_MAX),
    reached,
    behind: behind.slice(0, FAULTS_MAX).map((at) => `a stream is at ${at}`),
    openings: total(followers, "streams") + total(mirrors, "opened"),
    repeats: total(followers, "repeats"),
    compared: total(followers, "compared") + total(mirrors, "compared"),
  };
}

function total<Name extends string>(
  readers: readonly Readonly<Record<Name, () => number>>[],
  name: Name,
): number {
  return readers.reduce((sum, reader) => sum + reader[name](), 0);
}
