import { setTimeout as sleep } from "node:timers/promises";
import type { Change, ChangeBatch } from "../../gen/signet/v1/change_pb.ts";
import type { WatchUsersResponse } from "../../gen/signet/v1/sync_service_pb.ts";
import { type User, UserState } from "../../gen/signet/v1/user_pb.ts";
import type { Clients } from "./builders.ts";

/** What a follower holds of a User. */
export interface Held {
  readonly version: number;
  readonly deleted: boolean;
}

/** A subscriber that keeps a mirror in memory, and notes all that must never happen. */
export interface Follower {
  readonly mirror: ReadonlyMap<string, Held>;
  /** The position up to which everything has been applied. */
  position(): number;
  /** What must stay empty: gaps, and versions that do not follow from each other. */
  readonly faults: readonly string[];
  /** How often a change came again after a resume. */
  repeats(): number;
  streams(): number;
  /**
   * Follows stream after stream, each left after a random number of frames, until `end`, which
   * may still rise to begin with.
   */
  followTo(end: () => number, signal: AbortSignal): Promise<void>;
}

type Frame = WatchUsersResponse["frame"];

/**
 * Creates a follower that goes to a random one of the processes each time. Now and then it
 * loses its last cursor, as an app does that dies after it has applied a batch.
 */
export function createFollower(
  processes: readonly Pick<Clients, "sync">[],
  { clientId, framesMax }: { readonly clientId: string; readonly framesMax: number },
): Follower {
  const mirror = new Map<string, Held>();
  /** The version of each User's last change; what a snapshot brought is not in it. */
  const changed = new Map<string, number>();
  const faults: string[] = [];
  const count = { position: 0, repeats: 0, streams: 0 };
  let cursor = "";

  function apply(user: User): void {
    const held = mirror.get(user.id);
    const version = Number(user.version);
    if (held && version <= held.version) return;
    mirror.set(user.id, { version, deleted: user.state === UserState.DELETED });
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
    }
    if (frame.case === "changeBatch") applyBatch(frame.value);
    const forgets = Math.random() < 0.1;
    if (frame.value && "cursor" in frame.value && !forgets) cursor = frame.value.cursor || cursor;
  }

  async function followOnce(end: () => number, signal: AbortSignal): Promise<void> {
    const leaving = new AbortController();
    const { sync } = processes[Math.floor(Math.random() * processes.length)] ?? {};
    if (!sync) throw new Error("nobody to follow");
    let left = 1 + Math.floor(Math.random() * framesMax);
    count.streams += 1;
    try {
      const ended = AbortSignal.any([leaving.signal, signal]);
      const request = { cursor, clientId, heartbeatSeconds: 1 };
      for await (const { frame } of sync.watchUsers(request, { signal: ended })) {
        take(frame);
        left -= 1;
        if (left === 0 || count.position >= end()) return;
      }
    } finally {
      leaving.abort();
    }
  }

  return {
    mirror,
    faults,
    position: () => count.position,
    repeats: () => count.repeats,
    streams: () => count.streams,
    async followTo(end, signal) {
      while (count.position < end()) {
        signal.throwIfAborted();
        await followOnce(end, signal).catch(() => sleep(20)); // To be resumed.
      }
    },
  };
}
