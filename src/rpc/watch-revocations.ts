import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import type {
  ListRevocationsRequest,
  ListRevocationsResponseSchema,
  WatchRevocationsRequest,
  WatchRevocationsResponse,
} from "../../gen/signet/v1/sync_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import {
  openRevocationCursor,
  type RevocationPlace,
  sealRevocationCursor,
} from "../domain/revocation-cursor.ts";
import type { RevocationLog } from "../domain/revocation-log.ts";
import {
  pageOfRevocations,
  type RevocationPage,
  reachablePlace,
  revocationsAfter,
} from "../domain/revocations.ts";
import type { Caller } from "../model/caller.ts";
import type { SiteId } from "../model/id.ts";
import { toRevocationMessage } from "./convert-revocation.ts";
import type { FrameSink } from "./frame-sink.ts";
import {
  type RevocationFrame,
  revocationBatch,
  revocationGoodbye,
  revocationHeartbeat,
  revocationHello,
} from "./revocation-frames.ts";
import type { StreamBounds } from "./stream-bounds.ts";
import { createStreamEnd, type StreamEnd } from "./stream-end.ts";
import { CLIENT_LEFT, slowReader } from "./stream-ends.ts";
import type { WatchDeps } from "./watch-deps.ts";
import { subscriberName, type WatchCall } from "./watch-open.ts";

/** What the calls about revocations are fed from. */
export interface RevocationSources {
  readonly users: Pick<WatchDeps, "deps" | "ends" | "bounds" | "streams">;
  readonly revocations: RevocationLog;
}

/** Who asks for revocations, and from where on. */
interface RevocationWatch {
  readonly caller: Caller;
  readonly siteId: SiteId;
  /** Undefined: the whole set. */
  readonly start: RevocationPlace | undefined;
  /** Names the subscriber among those that limits count together. */
  readonly clientName: string;
  readonly signal: AbortSignal;
}

/** How a page is asked for, and how long to wait for one. */
export interface RevocationPoll {
  readonly limit: number;
  readonly waitMs: number;
}

const BATCH_MAX = 1_000;
const HEARTBEAT_MS = 1_000;
/** How soon to look again whether the log is read up to now. */
const STALE_POLL_MS = 100;

/**
 * Serves one call of WatchRevocations, whichever way it came in; `sync_service.proto` says how.
 *
 * Resolves where the stream ends well. What refuses it is thrown before the first frame; what
 * ends it later, after a Goodbye.
 *
 * @throws {Failure} of the reasons of WatchRevocations
 */
export async function serveRevocationStream(
  sources: RevocationSources,
  request: WatchRevocationsRequest,
  call: WatchCall,
  sink: FrameSink<WatchRevocationsResponse>,
): Promise<void> {
  const { users, revocations: log } = sources;
  const { deps, ends, streams } = users;
  const watch = await openRevocationWatch(deps, request, call);
  const release = streams.take(watch.siteId, watch.clientName);
  const end = createStreamEnd(ends, { kind: "revocations", ...watch });
  const send = (frame: RevocationFrame) => sendInTime(users.bounds, sink, frame, end);
  try {
    await send(revocationHello(deps, watch.siteId, end.ageSecondsMax));
    await follow(deps, log, watch, end, send);
    const { ending = {} } = end;
    // Even where the sink takes no more: it is small, and the last.
    if (ending.goodbye !== undefined) sink.write(revocationGoodbye(ending.goodbye, ending));
    end.throwIfRefused();
  } finally {
    end.release();
    release();
  }
}

/** Answers with one page of revocations, and waits at most `waitMs` where there is none. */
export async function pollRevocations(
  { users, revocations: log }: RevocationSources,
  request: ListRevocationsRequest,
  call: WatchCall,
  { limit, waitMs }: RevocationPoll,
): Promise<MessageInitShape<typeof ListRevocationsResponseSchema>> {
  const { deps, ends, streams } = users;
  const watch = await openRevocationWatch(deps, request, call);
  const { siteId, clientName } = watch;
  const release = waitMs > 0 ? streams.take(siteId, clientName) : undefined;
  const end = createStreamEnd(ends, { kind: "poll", ...watch }, waitMs);
  let place = watch.start;
  try {
    for (;;) {
      const from = reachablePlace(log, place);
      const page =
        from.phase === "set"
          ? await pageOfRevocations(deps, log, siteId, from, limit)
          : revocationsAfter(deps, log, siteId, from, limit);
      const isAnswer = page.revocations.length > 0 || page.more || from.phase === "set";
      if (!isAnswer) end.throwIfRefused();
      if (isAnswer || waitMs === 0 || end.ending) return toAnswer(deps, siteId, page);
      ({ place } = page);
      await end.wait(waitMs, (wake) => log.onChange(siteId, wake));
    }
  } finally {
    end.release();
    release?.();
  }
}

/** Reads what both calls have in common. @throws {Failure} */
async function openRevocationWatch(
  deps: Deps,
  request: Pick<WatchRevocationsRequest, "siteId" | "cursor" | "clientId">,
  { caller, clientAddress, signal }: WatchCall,
): Promise<RevocationWatch> {
  const siteId = siteOf(caller, request.siteId);
  const clientName = `revocations/${subscriberName(caller, request.clientId, clientAddress)}`;
  await deps.sites.get(siteId);
  const { cursor } = request;
  const start = cursor === "" ? undefined : openRevocationCursor(deps, siteId, cursor);
  return { caller, siteId, start, clientName, signal };
}

/** Sends the set, then the log, until the stream ends; the set again if the log was replaced. */
async function follow(
  deps: Deps,
  log: RevocationLog,
  { siteId, start, signal }: RevocationWatch,
  end: StreamEnd,
  send: (frame: RevocationFrame) => Promise<void>,
): Promise<void> {
  let place = start;
  let heartbeatMs = 0;
  while (!signal.aborted && !endsAtOnce(end)) {
    const from = reachablePlace(log, place);
    // Nothing may come between a look into the log and the wait for more: no await here.
    const page =
      from.phase === "set"
        ? await pageOfRevocations(deps, log, siteId, from, BATCH_MAX)
        : revocationsAfter(deps, log, siteId, from, BATCH_MAX);
    ({ place } = page);
    if (page.revocations.length > 0) await send(revocationBatch(deps, siteId, page));
    if (end.ending) return;
    const nowMs = performance.now();
    if (page.asOf && nowMs >= heartbeatMs) {
      await send(revocationHeartbeat(deps, siteId, place, page.asOf));
      heartbeatMs = nowMs + HEARTBEAT_MS;
    } else if (page.revocations.length === 0 && from.phase === "tail") {
      const waitMs = Math.max(heartbeatMs - nowMs, STALE_POLL_MS);
      await end.wait(waitMs, (wake) => log.onChange(siteId, wake));
    }
  }
}

/** Writes a frame, and waits until the sink takes more; a stream that never does is cut. */
async function sendInTime(
  bounds: StreamBounds,
  sink: FrameSink<WatchRevocationsResponse>,
  frame: RevocationFrame,
  end: StreamEnd,
): Promise<void> {
  if (sink.write(frame)) return;
  let isDrained = false;
  await end.wait(bounds.unreadMsMax, (wake) => {
    sink.drained().then(
      () => {
        isDrained = true;
        wake();
      },
      () => end.end(CLIENT_LEFT),
    );
    return () => undefined;
  });
  if (!isDrained) end.end(slowReader(bounds));
}

/** The closing of the Site is told as a revocation before the stream ends with it. */
function endsAtOnce({ ending }: StreamEnd): boolean {
  return ending !== undefined && ending.goodbye !== GoodbyeReason.SITE_DELETED;
}

function toAnswer(
  deps: Deps,
  siteId: SiteId,
  { revocations, place, more, asOf }: RevocationPage,
): MessageInitShape<typeof ListRevocationsResponseSchema> {
  return {
    revocations: revocations.map(toRevocationMessage),
    cursor: sealRevocationCursor(deps, siteId, place),
    more,
    ...(asOf && { asOf: timestampFromDate(asOf) }),
  };
}
