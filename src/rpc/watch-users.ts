import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Deps } from "../domain/deps.ts";
import { changesAfter, currentHead, snapshotPage } from "../domain/sync.ts";
import { openWatchCursor, sealWatchCursor, type WatchPlace } from "../domain/watch-cursor.ts";
import type { Caller } from "../model/caller.ts";
import type { SiteHead, UserChange } from "../model/change.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import type { ChangeRing } from "./change-ring.ts";
import { fitChanges, fitUsers } from "./frame-weight.ts";
import { createStreamEnd, goodbye, type StreamEnd } from "./stream-end.ts";
import type { StreamSlots } from "./stream-slots.ts";
import { changeBatchFrame, type Frame, snapshotPageFrame } from "./watch-frames.ts";
import type { WatchScope } from "./watch-scope.ts";

/** What the streams of a process share. */
export interface WatchDeps {
  readonly deps: Deps;
  readonly ring: ChangeRing;
  readonly epoch: () => number;
  /** Snapshots under way. */
  readonly snapshots: StreamSlots;
}

/** What one subscriber asks for. */
export interface Watch {
  readonly caller: Caller;
  readonly siteId: SiteId;
  readonly scope: WatchScope;
  /** Empty: from the start. */
  readonly cursor: string;
  readonly snapshot: boolean;
  /** Names the subscriber among those that limits count together. */
  readonly clientName: string;
  readonly heartbeatSeconds: number;
  readonly signal: AbortSignal;
}

const BATCH_MAX = 500;
const RETURN_DELAY_MS = 2_000;

/** Streams the Users of a Site, then every change to them; `sync_service.proto` says how. */
export async function* watchUsers(shared: WatchDeps, watch: Watch): AsyncGenerator<Frame> {
  const { deps } = shared;
  const { siteId } = watch;
  const head = await currentHead(deps, siteId);
  const place = startPlace(deps, watch, head);
  const end = createStreamEnd(deps.live, watch);
  try {
    yield helloFrame(deps, watch, head, place, end.ageSecondsMax);
    const position =
      place.phase === "snapshot" ? yield* snapshot(shared, watch, place, end) : place.position;
    if (end.reason === undefined) yield* tail(shared, watch, place.epoch, position, end);
    if (end.reason === undefined) return; // The client has left.
    yield goodbye(end.reason, RETURN_DELAY_MS);
    end.throwIfRefused();
  } finally {
    end.release();
  }
}

function helloFrame(
  deps: Deps,
  { siteId, scope, heartbeatSeconds }: Watch,
  head: SiteHead,
  place: WatchPlace,
  ageSecondsMax: number,
): Frame {
  const value = {
    siteId,
    epoch: head.epoch,
    head: BigInt(head.position),
    oldestPosition: BigInt(head.oldestPosition),
    cursor: sealWatchCursor(deps, siteId, scope.name, place),
    snapshot: place.phase === "snapshot",
    userCount: BigInt(head.users),
    heartbeatSeconds,
    ageSecondsMax,
    userFields: [...scope.projection],
    serverTime: timestampFromDate(deps.clock.now()),
  };
  return { frame: { case: "hello", value } };
}

/** Where the stream begins. @throws {Failure} of the cursor's reasons. */
function startPlace(deps: Deps, { siteId, scope, cursor, snapshot }: Watch, head: SiteHead) {
  const { epoch, position, oldestPosition } = head;
  if (cursor === "") {
    return snapshot
      ? ({ phase: "snapshot", epoch, tailPosition: position, after: undefined } as const)
      : ({ phase: "tail", epoch, position } as const);
  }
  const place = openWatchCursor(deps, siteId, scope.name, cursor);
  if (place.epoch !== epoch) throw epochChanged(epoch);
  const from = place.phase === "snapshot" ? place.tailPosition : place.position;
  if (from > position) throw new Failure("cursor_ahead");
  if (from + 1 < oldestPosition) throw expired(oldestPosition);
  return place;
}

/** Sends the pages, each read in a transaction of its own; returns where the tail begins. */
async function* snapshot(
  { deps, snapshots }: WatchDeps,
  { siteId, scope, clientName, signal }: Watch,
  { epoch, tailPosition, after: start }: Extract<WatchPlace, { readonly phase: "snapshot" }>,
  end: StreamEnd,
): AsyncGenerator<Frame, number> {
  const release = snapshots.take(clientName);
  signal.addEventListener("abort", release, { once: true }); // Also while a reader blocks.
  try {
    for (let after = start; !signal.aborted && end.reason === undefined; ) {
      const found = await snapshotPage(deps, siteId, { after, limit: BATCH_MAX });
      const users = fitUsers(found);
      after = users.at(-1)?.id ?? after;
      const place = { phase: "snapshot", epoch, tailPosition, after } as const;
      const cursor = sealWatchCursor(deps, siteId, scope.name, place);
      if (users.length > 0) yield snapshotPageFrame(users, scope, cursor);
      if (users.length === BATCH_MAX || users.length < found.length) continue;
      yield await snapshotEndFrame(deps, siteId, scope, epoch, tailPosition);
      break;
    }
    return tailPosition;
  } finally {
    release();
    signal.removeEventListener("abort", release);
  }
}

async function snapshotEndFrame(
  deps: Deps,
  siteId: SiteId,
  scope: WatchScope,
  epoch: number,
  tailPosition: number,
): Promise<Frame> {
  const { position } = await currentHead(deps, siteId);
  const place = { phase: "tail", epoch, position: tailPosition } as const;
  const cursor = sealWatchCursor(deps, siteId, scope.name, place);
  const value = { position: BigInt(position), tailPosition: BigInt(tailPosition), cursor };
  return { frame: { case: "snapshotEnd", value } };
}

/** Follows the log: first what the database has, then from the ring, until the stream ends. */
async function* tail(
  shared: WatchDeps,
  watch: Watch,
  epoch: number,
  start: number,
  end: StreamEnd,
): AsyncGenerator<Frame> {
  const { deps, ring } = shared;
  const { siteId, scope } = watch;
  const heartbeatMs = watch.heartbeatSeconds * 1_000;
  const place = (position: number) =>
    sealWatchCursor(deps, siteId, scope.name, { phase: "tail", epoch, position });
  let position = start;
  let inLog = true;
  let checkpointMs = performance.now() + heartbeatMs;

  while (!watch.signal.aborted && end.reason === undefined) {
    if (shared.epoch() > epoch) throw epochChanged(shared.epoch());
    // Also amid changes: those that no filter lets through move the cursor on only here.
    if (performance.now() >= checkpointMs) {
      yield checkpointFrame(deps, position, place(position), ring.head(siteId));
      checkpointMs = performance.now() + heartbeatMs;
    }
    const found = inLog
      ? await changesAfter(deps, siteId, { after: position, limit: BATCH_MAX })
      : ring.after(siteId, position, BATCH_MAX);
    if (found === undefined) {
      await requireKept(deps, siteId, position);
      inLog = true;
    } else if (found.length > 0) {
      const batch = fitChanges(found);
      const made = batchFrame(shared, watch, batch, position, inLog, place);
      position += batch.length;
      if (made) yield made;
    } else if (inLog) {
      inLog = false; // And on without a wait: the ring may have got more since the log was read.
      checkpointMs = performance.now(); // Says at once that the stream has caught up.
    } else {
      const waitMs = checkpointMs - performance.now();
      await end.wait(waitMs, (wake) => ring.onChange(siteId, wake));
    }
  }
}

/** Makes the frame of a batch, once for all streams of a class that are at the same place. */
function batchFrame(
  { ring }: WatchDeps,
  { siteId, scope }: Watch,
  batch: readonly UserChange[],
  previousPosition: number,
  inLog: boolean,
  place: (position: number) => string,
): Frame | undefined {
  const position = previousPosition + batch.length;
  if (batch[0]?.position !== previousPosition + 1 || batch.at(-1)?.position !== position) {
    throw expired(batch[0]?.position ?? position); // Dropped while the stream was behind.
  }
  const make = () => {
    const covered = { previousPosition, position, cursor: place(position) };
    return { frame: changeBatchFrame(batch, scope, covered) };
  };
  const name = `${previousPosition}/${position}/${scope.name}`;
  return (inLog ? make() : ring.shared(siteId, name, make)).frame;
}

/** What has left the ring may have left the log as well. @throws {Failure} `cursor_expired` */
async function requireKept(deps: Deps, siteId: SiteId, position: number): Promise<void> {
  const { oldestPosition } = await currentHead(deps, siteId);
  if (position + 1 < oldestPosition) throw expired(oldestPosition);
}

function expired(oldestPosition: number): Failure {
  return new Failure("cursor_expired", { oldest_position: String(oldestPosition) });
}

function epochChanged(epoch: number): Failure {
  return new Failure("epoch_changed", { epoch: String(epoch) });
}

function checkpointFrame(deps: Deps, position: number, cursor: string, head: number): Frame {
  const value = {
    position: BigInt(position),
    cursor,
    head: BigInt(Math.max(head, position)),
    serverTime: timestampFromDate(deps.clock.now()),
  };
  return { frame: { case: "checkpoint", value } };
}
