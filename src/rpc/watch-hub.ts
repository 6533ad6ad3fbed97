import type { Deps } from "../domain/deps.ts";
import { sealWatchCursor } from "../domain/watch-cursor.ts";
import type { SiteSums, UserChange } from "../model/change.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId, UserId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import type { ChangeRing } from "./change-ring.ts";
import type { SharedFrame } from "./frame-sink.ts";
import { fitChanges } from "./frame-weight.ts";
import { toChangeBatch, toCheckpoint, toFrame } from "./watch-frames.ts";
import { isFiltered, passes, type WatchScope } from "./watch-scope.ts";

/** Subscribers of one class: at the same position they are sent the same frames. */
export interface WatchGroup {
  readonly siteId: SiteId;
  readonly scope: WatchScope;
  readonly epoch: number;
  /** The newest position that is known. */
  head(): number;
  /** Notes a position that the log was found to have. */
  noteHead(position: number): void;
  tailCursor(position: number): string;
  snapshotCursor(tailPosition: number, after: UserId | undefined): string;
  /**
   * Returns what follows a position in the ring: undefined if that is all there is, "gone" if it
   * is no longer there.
   */
  next(position: number): WatchBatch | "gone" | undefined;
  /** Shares one read of the log among those who are at the same place. */
  shareRead(position: number, read: () => Promise<WatchBatch>): Promise<WatchBatch>;
  checkpoint(position: number, sums: SiteSums | undefined, nowMs: number): SharedFrame;
  snapshotCheckpoint(tailPosition: number, after: UserId | undefined): SharedFrame;
  /** Calls `advance` after each change of the Site; returns how to stop. */
  follow(advance: () => void): () => void;
  /** Gives the group up; it is forgotten with its last subscriber. */
  leave(): void;
}

/** What comes next for those at a position. */
export interface WatchBatch {
  /** Absent where no change passes the filter. */
  readonly frame: SharedFrame | undefined;
  readonly position: number;
  /** The sums at `position`; absent where the log does not tell. */
  readonly sums: SiteSums | undefined;
}

/** The classes of subscribers of a process. */
export interface WatchHub {
  /** Returns the class of a subscriber, which has to {@link WatchGroup.leave} it once. */
  join(siteId: SiteId, scope: WatchScope, epoch: number): WatchGroup;
}

interface MadeCheckpoint {
  readonly frame: SharedFrame;
  readonly position: number;
  readonly head: number;
  readonly users: number | undefined;
  readonly nowMs: number;
}

/** Frames for different places, each up to 1 MiB, that slow readers come back for. */
const BATCHES_KEPT_MAX = 16;
/** Checkpoints that are made so close to each other are one. */
const SAME_MOMENT_MS = 100;

type HubDeps = Pick<Deps, "cursors" | "clock">;

/** Creates the hub over the ring. */
export function createWatchHub(deps: HubDeps, ring: ChangeRing): WatchHub {
  const groups = new Map<string, { readonly group: WatchGroup; members: number }>();

  return {
    join(siteId, scope, epoch) {
      const name = `${siteId}/${epoch}/${scope.name}`;
      const leave = () => {
        entry.members -= 1;
        if (entry.members === 0) groups.delete(name);
      };
      const entry = groups.get(name) ?? {
        group: createGroup(deps, ring, { siteId, scope, epoch, leave }),
        members: 0,
      };
      groups.set(name, entry);
      entry.members += 1;
      return entry.group;
    },
  };
}

/**
 * Makes one batch of changes that follow a position without a gap. `sent` stands for them where
 * some were merged.
 *
 * @throws {Failure} `cursor_expired` if there is a gap: what is missing was dropped.
 */
export function makeBatch(
  group: Pick<WatchGroup, "scope" | "tailCursor">,
  previousPosition: number,
  changes: readonly UserChange[],
  sent: readonly UserChange[] = changes,
): WatchBatch {
  const { scope } = group;
  const position = previousPosition + changes.length;
  const [first, last] = [changes[0], changes.at(-1)];
  if (first?.position !== previousPosition + 1 || last?.position !== position) {
    throw cursorExpired(first?.position ?? position);
  }
  const { sums } = last;
  if (!sent.some((change) => passes(scope, change))) return { frame: undefined, position, sums };
  const covered = { previousPosition, position, cursor: group.tailCursor(position) };
  const value = toChangeBatch(sent, scope, covered);
  return { frame: toFrame({ case: "changeBatch", value }), position, sums };
}

/** Says that what follows a cursor is no longer kept. */
export function cursorExpired(oldestPosition: number): Failure {
  return new Failure("cursor_expired", { oldest_position: String(oldestPosition) });
}

function createGroup(
  deps: HubDeps,
  ring: ChangeRing,
  { siteId, scope, epoch, leave }: Pick<WatchGroup, "siteId" | "scope" | "epoch" | "leave">,
): WatchGroup {
  const followers = new Set<() => void>();
  const batches = new Map<number, WatchBatch>();
  const reads = new Map<number, Promise<WatchBatch>>();
  const summed = !isFiltered(scope);
  let checkpoint: MadeCheckpoint | undefined;
  let known = 0;
  let stop: (() => void) | undefined;

  const head = () => Math.max(known, ring.head(siteId));
  const tailCursor = (position: number) =>
    sealWatchCursor(deps, siteId, scope.name, { phase: "tail", epoch, position });
  const snapshotCursor = (tailPosition: number, after: UserId | undefined) =>
    sealWatchCursor(deps, siteId, scope.name, { phase: "snapshot", epoch, tailPosition, after });

  function checkpointFrame(position: number, cursor: string, sums?: SiteSums): SharedFrame {
    const serverTime = deps.clock.now();
    const value = toCheckpoint({ position, cursor, head: head(), sums, serverTime });
    return toFrame({ case: "checkpoint", value });
  }

  function advanceAll(): void {
    batches.clear();
    for (const advance of followers) advance();
  }

  return {
    siteId,
    scope,
    epoch,
    leave,
    head,
    noteHead(position) {
      known = Math.max(known, position);
    },
    tailCursor,
    snapshotCursor,

    next(position) {
      const made = batches.get(position);
      if (made) return made;
      const found = ring.after(siteId, position, LIMITS.frameChangesMax);
      if (found === undefined) return "gone";
      if (found.length === 0) return undefined;
      const batch = makeBatch({ scope, tailCursor }, position, fitChanges(found));
      const [oldest] = batches.keys();
      if (batches.size >= BATCHES_KEPT_MAX && oldest !== undefined) batches.delete(oldest);
      batches.set(position, batch);
      return batch;
    },

    shareRead(position, read) {
      const known = reads.get(position);
      if (known) return known;
      const reading = read().finally(() => reads.delete(position));
      reads.set(position, reading);
      return reading;
    },

    checkpoint(position, sums, nowMs) {
      const told = summed ? sums : undefined;
      const made = checkpoint;
      const isFresh = made && made.head === head() && nowMs - made.nowMs < SAME_MOMENT_MS;
      if (isFresh && made.position === position && made.users === told?.users) return made.frame;
      const frame = checkpointFrame(position, tailCursor(position), told);
      checkpoint = { frame, position, head: head(), users: told?.users, nowMs };
      return frame;
    },

    snapshotCheckpoint: (tailPosition, after) =>
      checkpointFrame(tailPosition, snapshotCursor(tailPosition, after)),

    follow(advance) {
      if (followers.size === 0) stop = ring.onChange(siteId, advanceAll);
      followers.add(advance);
      return () => {
        if (!followers.delete(advance) || followers.size > 0) return;
        stop?.();
        batches.clear();
      };
    },
  };
}
