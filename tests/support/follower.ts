import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Change, ChangeBatch, Sums } from "../../gen/signet/v1/change_pb.ts";
import type {
  ListChangesResponse,
  WatchUsersResponse,
} from "../../gen/signet/v1/sync_service_pb.ts";
import { type User, UserState } from "../../gen/signet/v1/user_pb.ts";
import type { Clients } from "./builders.ts";
import { createSiteSums, type Held } from "./site-sums.ts";
import { isPassing } from "./unforeseen.ts";

/** A subscriber that keeps a mirror in memory, and notes all that must never happen. */
export interface Follower {
  readonly mirror: ReadonlyMap<string, Held>;
  /** The position up to which everything has been applied. */
  position(): number;
  /**
   * What must stay empty: gaps, versions that do not follow from each other, sums that are not
   * those of the mirror, and refusals that no crash of the service explains.
   */
  readonly faults: readonly string[];
  /** How often a change came again after a resume. */
  repeats(): number;
  /** Streams, or rows of polls that go on from each other. */
  streams(): number;
  /** Checkpoints whose sums were compared. */
  compared(): number;
  /** How many changes were made while the last snapshot was on its way. */
  overtaken(): number;
  /**
   * Follows stream after stream, each left after a random number of frames, until `end`, which
   * may still rise to begin with, or until it is refused for good, which is a fault.
   */
  followTo(end: () => number, signal: AbortSignal): Promise<void>;
}

/** How a follower follows. */
export interface FollowerOptions {
  readonly clientId: string;
  /** It leaves after so many frames at most. */
  readonly framesMax: number;
  /** Whether it calls ListChanges again and again; by default it streams. */
  readonly polls?: boolean;
}

/** Its heart beats every second; without any frame for so long, the stream is dead. */
const SILENCE_MS_MAX = 8_000;
/** Who polls is not in a hurry, and leaves the service to others meanwhile. */
const PAUSE_MS_MAX = 200;

type Frame = WatchUsersResponse["frame"];

/**
 * Creates a follower that goes to a random one of the processes each time. Now and then it
 * loses its last cursor, as an app does that dies after it has applied a batch.
 */
export function createFollower(
  processes: readonly Pick<Clients, "sync">[],
  { clientId, framesMax, polls = false }: FollowerOptions,
): Follower {
  const mirror = new Map<string, Held>();
  /** The version of each User's last change; what a snapshot brought is not in it. */
  const changed = new Map<string, number>();
  const faults: string[] = [];
  const count = { position: 0, exactFrom: 0, overtaken: 0, repeats: 0, streams: 0, compared: 0 };
  const sums = createSiteSums();
  let cursor = "";

  function apply(user: User): void {
    const held = mirror.get(user.id);
    const version = Number(user.version);
    if (held && version <= held.version) return;
    const next = { version, deleted: user.state === UserState.DELETED };
    sums.replace(user.id, held, next);
    mirror.set(user.id, next);
  }

  /** What was applied again after a resume is ahead of the position, and cannot be compared. */
  function compare(position: number, told: Sums | undefined): void {
    if (!told || position !== count.position || position < count.exactFrom) return;
    count.compared += 1;
    const own = sums.read();
    if (told.count !== own.count || told.xor !== own.xor) faults.push(`other sums at ${position}`);
  }

  /** Each position is one step of one User's version, also where a change stands for others. */
  function applyBatch({ changes, previousPosition, position }: ChangeBatch): void {
    const from = count.position;
    if (Number(previousPosition) > from) faults.push(`a gap after ${from}`);
    const fresh = changes.filter((change) => Number(change.position) > from);
    count.repeats += changes.length - fresh.length;
    const covered = Number(position) - from;
    const steps = fresh.map((change) => stepsOf(change));
    const known = steps.reduce<number>((sum, taken) => sum + (taken ?? 1), 0);
    const isWrong = steps.includes(undefined) ? known > covered : known !== covered;
    if (covered > 0 && isWrong) faults.push(`${covered} changes after ${from}, but ${known} steps`);
    count.position = Math.max(from, Number(position));
  }

  /** Applies a change; returns how many it stands for, unless its User had none before. */
  function stepsOf({ position: at, user }: Change): number | undefined {
    const position = Number(at);
    if (position <= count.position) faults.push(`${position} comes after ${count.position}`);
    count.position = position;
    if (!user) {
      faults.push(`${position} has no User`);
      return undefined;
    }
    const version = Number(user.version);
    const before = changed.get(user.id);
    if (before !== undefined && version <= before) {
      faults.push(`${position}: version ${version} comes after ${before}`);
    }
    changed.set(user.id, version);
    apply(user);
    return before === undefined ? undefined : version - before;
  }

  function take(frame: Frame): void {
    if (frame.case === "hello") return;
    if (frame.case === "snapshotPage") for (const user of frame.value.users) apply(user);
    if (frame.case === "snapshotEnd") {
      count.position = Math.max(count.position, Number(frame.value.tailPosition));
      count.exactFrom = Math.max(count.exactFrom, Number(frame.value.position));
      count.overtaken = Number(frame.value.position - frame.value.tailPosition);
    }
    if (frame.case === "changeBatch") applyBatch(frame.value);
    if (frame.case === "checkpoint") compare(Number(frame.value.position), frame.value.sums);
    const forgets = Math.random() < 0.1;
    if (frame.value && "cursor" in frame.value && !forgets) cursor = frame.value.cursor || cursor;
  }

  async function followOnce(end: () => number, signal: AbortSignal): Promise<void> {
    const leaving = new AbortController();
    const { sync } = processes[Math.floor(Math.random() * processes.length)] ?? {};
    if (!sync) throw new Error("nobody to follow");
    let left = 1 + Math.floor(Math.random() * framesMax);
    count.streams += 1;
    // As a deadline would end it: then a connection that is silent is left, too.
    const silent = new ConnectError("no frame came", Code.DeadlineExceeded);
    const watchdog = setTimeout(() => leaving.abort(silent), SILENCE_MS_MAX);
    try {
      const ended = AbortSignal.any([leaving.signal, signal]);
      for await (const frame of (polls ? poll : watch)(sync, ended)) {
        watchdog.refresh();
        take(frame);
        left -= 1;
        if (left <= 0 || count.position >= end()) return;
      }
    } finally {
      clearTimeout(watchdog);
      leaving.abort();
    }
  }

  async function* watch(sync: Clients["sync"], signal: AbortSignal): AsyncGenerator<Frame> {
    const request = { cursor, clientId, heartbeatSeconds: 1 };
    for await (const { frame } of sync.watchUsers(request, { signal })) yield frame;
  }

  async function* poll(sync: Clients["sync"], signal: AbortSignal): AsyncGenerator<Frame> {
    for (;;) {
      const request = { cursor, clientId, waitSeconds: 1 };
      yield* framesOf(await sync.listChanges(request, { signal }));
      await sleep(Math.random() * PAUSE_MS_MAX, undefined, { signal });
    }
  }

  return {
    mirror,
    faults,
    position: () => count.position,
    repeats: () => count.repeats,
    streams: () => count.streams,
    compared: () => count.compared,
    overtaken: () => count.overtaken,
    async followTo(end, signal) {
      while (count.position < end()) {
        signal.throwIfAborted();
        try {
          await followOnce(end, signal);
        } catch (error) {
          signal.throwIfAborted();
          if (!isPassing(error)) {
            faults.push(String(error));
            return; // It would be told the same again.
          }
          await sleep(20 + Math.random() * 100); // To be resumed.
        }
      }
    },
  };
}

/** What an answer brings, as a stream would send it. */
function framesOf(answer: ListChangesResponse): Frame[] {
  const { snapshotPage, snapshotEnd, changeBatch, checkpoint } = answer;
  const frames: Frame[] = [];
  if (snapshotPage) frames.push({ case: "snapshotPage", value: snapshotPage });
  if (snapshotEnd) frames.push({ case: "snapshotEnd", value: snapshotEnd });
  if (changeBatch) frames.push({ case: "changeBatch", value: changeBatch });
  if (checkpoint) frames.push({ case: "checkpoint", value: checkpoint });
  return frames;
}
