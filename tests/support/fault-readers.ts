import { setTimeout as sleep } from "node:timers/promises";
import { type Child, forkChild } from "../../bench/child-process.ts";
import type { MirrorRow } from "./restless-mirror.ts";

/** How many readers there are of each kind. */
export interface ReaderCounts {
  readonly grpc: number;
  readonly connect: number;
  readonly polls: number;
  readonly memoryMirrors: number;
  readonly postgresMirrors: number;
}

/** What a process of readers is asked to do. */
export type ReaderOrder =
  | {
      readonly type: "follow";
      /** The processes of the service, and a key for them. */
      readonly urls: readonly string[];
      readonly key: string;
      readonly appDatabaseUrl: string;
      /** Sets the readers of one process apart from those of another; a part of SQL names. */
      readonly prefix: string;
      readonly readers: ReaderCounts;
      readonly framesMax: number;
    }
  | {
      readonly type: "look";
      /** Where to stop; infinite as long as there is more to come. */
      readonly end: number;
    }
  | {
      readonly type: "judge";
      readonly end: number;
      readonly rows: ReadonlyMap<string, MirrorRow>;
    };

/** What has become of the readers of a process so far. */
export interface ReaderReply {
  /** What must be empty; `judge` adds what their copies have other than the Site. */
  readonly faults: readonly string[];
  /** Whether all of them have come to the end. */
  readonly reached: boolean;
  /** Streams that have not: where each of them stands. */
  readonly behind: readonly string[];
  /** Streams and mirrors that were opened. */
  readonly openings: number;
  /** Changes that came again after a resume. */
  readonly repeats: number;
  /** Checkpoints whose sums were compared. */
  readonly compared: number;
}

/** Readers in processes of their own, so that the writers do not wait for them. */
export interface FaultReaders extends AsyncDisposable {
  /** Follows until all have come to `end`, which may still rise to begin with. */
  followTo(end: () => number, signal: AbortSignal): Promise<void>;
  /** Judges what they hold, now that they are at the end. */
  judge(end: number, rows: ReadonlyMap<string, MirrorRow>): Promise<ReaderReply>;
}

/** Where the readers read, and how many there are. */
export interface FaultReadersOptions {
  readonly urls: readonly string[];
  readonly key: string;
  readonly appDatabaseUrl: string;
  readonly readers: ReaderCounts;
  readonly readerProcesses: number;
  readonly framesMax: number;
}

type Process = Child<ReaderOrder, ReaderReply>;

const PROGRAM = new URL("./fault-reader-program.ts", import.meta.url);
const LOOK_MS = 500;
/** How long readers may need after the last change; a busy machine has let them fall behind. */
const LATE_MS_MAX = 5 * 60_000;

/** Starts the processes, and has each follow its share. */
export async function openFaultReaders(options: FaultReadersOptions): Promise<FaultReaders> {
  const { readerProcesses, readers: all, urls, key, appDatabaseUrl, framesMax } = options;
  const processes = Array.from({ length: readerProcesses }, (): Process => forkChild(PROGRAM));
  const close = async () => {
    await Promise.all(processes.map((process) => process[Symbol.asyncDispose]()));
  };
  const begin = (process: Process, n: number) => {
    const readers = shareOf(all, n, readerProcesses);
    const prefix = `readers_${n}`;
    return process.ask({ type: "follow", urls, key, appDatabaseUrl, prefix, readers, framesMax });
  };
  try {
    await Promise.all(processes.map(begin));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async followTo(end, signal) {
      await Promise.all(processes.map((process) => untilReached(process, end, signal)));
    },
    async judge(end, rows) {
      const judged = processes.map((process) => process.ask({ type: "judge", end, rows }));
      return (await Promise.all(judged)).reduce(addReplies);
    },
    [Symbol.asyncDispose]: close,
  };
}

/** @throws if one of its readers fails, or is late. */
async function untilReached(
  process: Process,
  end: () => number,
  signal: AbortSignal,
): Promise<void> {
  for (let lateMs = Number.POSITIVE_INFINITY; ; ) {
    const goal = end();
    const { reached, behind, faults } = await process.ask({ type: "look", end: goal });
    if (reached) return;
    if (goal < Number.POSITIVE_INFINITY) lateMs = Math.min(lateMs, performance.now() + LATE_MS_MAX);
    if (performance.now() > lateMs) {
      throw new Error(`a reader never came to ${goal}: ${[...behind, ...faults].join("; ")}`);
    }
    await sleep(LOOK_MS, undefined, { signal });
  }
}

/** The share of one process; all shares together are the whole. */
function shareOf(all: ReaderCounts, n: number, processes: number): ReaderCounts {
  const share = (count: number) => Math.floor((count + n) / processes);
  return {
    grpc: share(all.grpc),
    connect: share(all.connect),
    polls: share(all.polls),
    memoryMirrors: share(all.memoryMirrors),
    postgresMirrors: share(all.postgresMirrors),
  };
}

/** What two processes have become together. */
function addReplies(a: ReaderReply, b: ReaderReply): ReaderReply {
  return {
    faults: [...a.faults, ...b.faults],
    reached: a.reached && b.reached,
    behind: [...a.behind, ...b.behind],
    openings: a.openings + b.openings,
    repeats: a.repeats + b.repeats,
    compared: a.compared + b.compared,
  };
}
