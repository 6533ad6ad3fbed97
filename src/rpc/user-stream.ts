import { GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import type { SiteHead, SiteSums } from "../model/change.ts";
import type { UserId } from "../model/id.ts";
import type { FrameSink, SharedFrame } from "./frame-sink.ts";
import { CLIENT_LEFT, type StreamEnding, slowReader } from "./stream-ends.ts";
import type { WatchDeps } from "./watch-deps.ts";
import { goodbyeFrame } from "./watch-frames.ts";
import type { WatchGroup } from "./watch-hub.ts";
import type { Watch } from "./watch-open.ts";

/** A stream under way: where it is, and what it waits for. Small, since there are thousands. */
export interface UserStream {
  readonly watch: Watch;
  readonly sink: FrameSink;
  readonly group: WatchGroup;
  phase: "snapshot" | "catching_up" | "live";
  /** What has been written to the sink; during a snapshot, where the changes will begin. */
  position: number;
  /** During a snapshot: the last User that was written. */
  after: UserId | undefined;
  /** The sums at `position`, where they are known. */
  sums: SiteSums | undefined;
  ending: StreamEnding | undefined;
  /** Since when the sink takes nothing; absent: it does. */
  blockedMs: number | undefined;
  /** Since when it is too far behind; absent: it is not. */
  behindMs: number | undefined;
  /** When the next checkpoint is due. */
  checkpointMs: number;
  /** Goes on with what is waited for. */
  wake: () => void;
}

/** Where a stream begins. */
export interface StreamStart {
  readonly head: SiteHead;
  readonly phase: "snapshot" | "tail";
  readonly position: number;
  readonly after: UserId | undefined;
}

/** Makes a stream that has sent nothing yet. */
export function createUserStream(
  shared: WatchDeps,
  watch: Watch,
  sink: FrameSink,
  { head, phase, position, after }: StreamStart,
): UserStream {
  const group = shared.hub.join(watch.siteId, watch.scope, head.epoch);
  group.noteHead(head.position);
  return {
    watch,
    sink,
    group,
    phase: phase === "snapshot" ? phase : "catching_up",
    position,
    after,
    sums: position === head.position ? head.sums : undefined,
    ending: undefined,
    blockedMs: undefined,
    behindMs: undefined,
    checkpointMs: performance.now() + watch.heartbeatSeconds * 1_000,
    wake: () => undefined,
  };
}

/** Begins to watch over the stream's end; returns how to stop. */
export function watchOver(
  shared: Pick<WatchDeps, "deps" | "ends" | "bounds">,
  stream: UserStream,
  ageEndMs: number,
): () => void {
  const { caller, siteId, signal } = stream.watch;
  const { epoch } = stream.group;
  const leave = () => end(stream, CLIENT_LEFT);
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();
  const forget = shared.ends.watch({
    kind: "users",
    siteId,
    caller,
    epoch,
    ageEndMs,
    end: (ending) => end(stream, ending),
    tick: (nowMs) => tick(shared, stream, nowMs),
  });
  return () => {
    signal.removeEventListener("abort", leave);
    forget();
  };
}

/** Ends the stream, unless it has ended already. */
function end(stream: UserStream, ending: StreamEnding): void {
  stream.ending ??= ending;
  stream.wake();
}

/** Writes a frame. Whether the sink takes more is to be asked before, not after. */
export function send(stream: UserStream, frame: SharedFrame): void {
  if (stream.sink.write(frame)) return;
  stream.blockedMs = performance.now();
  const drained = () => {
    stream.blockedMs = undefined;
    stream.wake();
  };
  stream.sink.drained().then(drained, () => end(stream, CLIENT_LEFT));
}

/** Waits until the sink takes more, or the stream has ended. */
export async function untilWritable(stream: UserStream): Promise<void> {
  while (stream.blockedMs !== undefined && !stream.ending) await untilWoken(stream);
}

/** Waits for work that belongs to others too; undefined if the stream ends before. */
export async function unlessEnded<T>(stream: UserStream, work: Promise<T>): Promise<T | undefined> {
  let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
  work.then(
    (value) => {
      outcome = { value };
      stream.wake();
    },
    (error: unknown) => {
      outcome = { error };
      stream.wake();
    },
  );
  while (!outcome && !stream.ending) await untilWoken(stream);
  if (!outcome) return undefined;
  if ("error" in outcome) throw outcome.error;
  return outcome.value;
}

/** Resolves at the next {@link UserStream.wake}. Only one may wait at a time. */
function untilWoken(stream: UserStream): Promise<void> {
  return new Promise((resolve) => {
    stream.wake = resolve;
  });
}

/** Sends the checkpoint of where the stream is. */
export function sendCheckpoint(stream: UserStream, nowMs: number): void {
  const { group, phase, position, after, watch } = stream;
  stream.checkpointMs = nowMs + watch.heartbeatSeconds * 1_000;
  const sums = phase === "live" ? stream.sums : undefined;
  const frame =
    phase === "snapshot"
      ? group.snapshotCheckpoint(position, after)
      : group.checkpoint(position, sums, nowMs);
  send(stream, frame);
}

/** Writes the last frame, even where the sink takes no more: it is small, and the last. */
export function sayGoodbye(stream: UserStream, ending: StreamEnding): void {
  if (ending.goodbye === undefined) return;
  const isOver = ending.goodbye === GoodbyeReason.SITE_DELETED;
  stream.sink.write(goodbyeFrame(ending.goodbye, ending, isOver ? "" : placeCursor(stream)));
}

/** Where to resume after all that was written. */
export function placeCursor({ group, phase, position, after }: UserStream): string {
  return phase === "snapshot" ? group.snapshotCursor(position, after) : group.tailCursor(position);
}

/** Looks whether the stream has to be cut, or has been silent for long enough. */
function tick(
  { deps, bounds }: Pick<WatchDeps, "deps" | "bounds">,
  stream: UserStream,
  nowMs: number,
): void {
  const { group, phase, position, blockedMs, checkpointMs } = stream;
  if (stream.ending) return;
  const isBehind = phase !== "snapshot" && group.head() - position > bounds.behindMax;
  stream.behindMs = isBehind ? (stream.behindMs ?? nowMs) : undefined;
  const isUnread = blockedMs !== undefined && nowMs - blockedMs > bounds.unreadMsMax;
  if (isUnread || (isBehind && nowMs - (stream.behindMs ?? nowMs) > bounds.behindMsMax)) {
    end(stream, slowReader(bounds));
  } else if (blockedMs === undefined && nowMs + bounds.sweepMs >= checkpointMs) {
    // That nothing is left says only who has looked: a process that is cut off from the log goes
    // silent, so that its subscribers turn to another one.
    if (phase !== "live" || deps.live.isFresh()) sendCheckpoint(stream, nowMs);
  }
}
