import type { WatchUsersRequest } from "../../gen/signet/v1/sync_service_pb.ts";
import { openWatchCursor } from "../domain/watch-cursor.ts";
import type { SiteHead } from "../model/change.ts";
import { Failure } from "../model/failure.ts";
import type { FrameSink } from "./frame-sink.ts";
import { epochChange } from "./stream-ends.ts";
import {
  createUserStream,
  placeCursor,
  type StreamStart,
  sayGoodbye,
  send,
  type UserStream,
  watchOver,
} from "./user-stream.ts";
import { catchUp } from "./watch-catch-up.ts";
import type { WatchDeps } from "./watch-deps.ts";
import { toFrame, toHello } from "./watch-frames.ts";
import { cursorExpired } from "./watch-hub.ts";
import { goLive } from "./watch-live.ts";
import { openWatch, type Watch, type WatchCall } from "./watch-open.ts";
import { sendSnapshot } from "./watch-snapshot.ts";

/**
 * Serves one call of WatchUsers, whichever way it came in: lets the subscriber in, sends the
 * stream into the sink, and gives the subscriber's place back.
 *
 * @throws {Failure} of the reasons of WatchUsers
 */
export async function serveUserStream(
  shared: WatchDeps,
  request: WatchUsersRequest,
  call: WatchCall,
  sink: FrameSink,
): Promise<void> {
  const { watch, release } = await openWatch(shared, request, call);
  try {
    await runUserStream(shared, watch, sink);
  } finally {
    release();
  }
}

/**
 * Sends the Users of a Site, then every change to them, into a sink; `sync_service.proto` says
 * how.
 *
 * Resolves where the stream ends well: it has lasted long enough, or `watch.signal` was aborted.
 * What refuses it is thrown before the first frame; what ends it later, after a Goodbye.
 *
 * @throws {Failure} of the reasons of WatchUsers
 */
export async function runUserStream(
  shared: WatchDeps,
  watch: Watch,
  sink: FrameSink,
): Promise<void> {
  const head = await shared.heads.read(watch.siteId);
  if (watch.signal.aborted) return;
  const start = startOf(shared, watch, head);
  const giveBack =
    start.phase === "snapshot"
      ? shared.snapshots.take(watch.siteId, watch.clientName)
      : () => undefined;
  const ageMs = shared.ends.ageMs();
  const stream = createUserStream(shared, watch, sink, start);
  const forget = watchOver(shared, stream, performance.now() + ageMs);
  try {
    sendHello(shared, stream, head, ageMs);
    if (stream.phase === "snapshot") await sendSnapshot(shared, stream);
    giveBack();
    const isBehind = start.phase === "snapshot" || start.position < head.position;
    // One that ends amid its snapshot stays there: its last cursor has to bring the rest.
    if (!stream.ending && isBehind) await catchUp(shared, stream);
    while (!stream.ending) {
      await goLive(stream);
      if (!stream.ending) await catchUp(shared, stream);
    }
  } catch (error) {
    stream.ending ??= { error };
  } finally {
    giveBack();
    forget();
    stream.group.leave();
  }
  const { ending = {} } = stream;
  sayGoodbye(stream, ending);
  if (ending.error !== undefined) throw ending.error;
}

/**
 * Finds where a stream, or an answer, begins.
 *
 * @throws {Failure} of the cursor's reasons
 */
export function startOf(
  { deps }: Pick<WatchDeps, "deps">,
  { siteId, scope, cursor, snapshot }: Pick<Watch, "siteId" | "scope" | "cursor" | "snapshot">,
  head: SiteHead,
): StreamStart {
  const { epoch, position, oldestPosition } = head;
  if (cursor === "") {
    return { head, phase: snapshot ? "snapshot" : "tail", position, after: undefined };
  }
  const place = openWatchCursor(deps, siteId, scope.name, cursor);
  if (place.epoch !== epoch) throw epochChange(epoch).error;
  const from = place.phase === "snapshot" ? place.tailPosition : place.position;
  if (from > position) throw new Failure("cursor_ahead");
  if (from + 1 < oldestPosition) throw cursorExpired(oldestPosition);
  const after = place.phase === "snapshot" ? place.after : undefined;
  return { head, phase: place.phase, position: from, after };
}

function sendHello({ deps }: WatchDeps, stream: UserStream, head: SiteHead, ageMs: number): void {
  const { siteId, scope, heartbeatSeconds } = stream.watch;
  const value = toHello(siteId, scope, head, {
    cursor: placeCursor(stream),
    snapshot: stream.phase === "snapshot",
    heartbeatSeconds,
    ageSecondsMax: Math.round(ageMs / 1_000),
    serverTime: deps.clock.now(),
  });
  send(stream, toFrame({ case: "hello", value }));
}
