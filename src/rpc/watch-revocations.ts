import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import type {
  ListRevocationsResponseSchema,
  WatchRevocationsResponseSchema,
} from "../../gen/signet/v1/sync_service_pb.ts";
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
import { createStreamEnd, type StreamEnd } from "./stream-end.ts";
import type { StreamEnding, StreamEnds } from "./stream-ends.ts";

/** Who asks for revocations, and from where on. */
export interface RevocationWatch {
  readonly caller: Caller;
  readonly siteId: SiteId;
  /** Empty: the whole set. */
  readonly cursor: string;
  readonly signal: AbortSignal;
}

type Frame = MessageInitShape<typeof WatchRevocationsResponseSchema>;

const BATCH_MAX = 1_000;
/** What subscribers are promised; heartbeats come sooner, so that a busy moment breaks nothing. */
const HEARTBEAT_MS_MAX = 2_000;
const HEARTBEAT_MS = 1_000;
/** How soon to look again whether the log is read up to now. */
const STALE_POLL_MS = 100;
/** Short, since nothing is heard meanwhile; ends by age are spread in time as it is. */
const RETURN_DELAY_MS_MAX = 200;

/** What the calls about revocations are fed from. */
export interface RevocationSources {
  readonly deps: Deps;
  readonly log: RevocationLog;
  readonly ends: StreamEnds;
}

/** Streams the revocations of a Site; `sync_service.proto` says how. */
export async function* watchRevocations(
  { deps, log, ends }: RevocationSources,
  watch: RevocationWatch,
): AsyncGenerator<Frame> {
  const place = startPlace(deps, watch);
  const end = createStreamEnd(ends, watch);
  try {
    yield helloFrame(deps, watch.siteId, end.ageSecondsMax);
    yield* follow(deps, log, watch, place, end);
    const { ending = {} } = end;
    if (ending.goodbye !== undefined) yield goodbyeFrame(ending.goodbye, ending);
    end.throwIfRefused();
  } finally {
    end.release();
  }
}

/** Answers with one page of revocations, and waits at most `waitMs` where there is none. */
export async function pollRevocations(
  { deps, log, ends }: RevocationSources,
  watch: RevocationWatch,
  { limit, waitMs }: { readonly limit: number; readonly waitMs: number },
): Promise<MessageInitShape<typeof ListRevocationsResponseSchema>> {
  const { siteId } = watch;
  let place = startPlace(deps, watch);
  const end = createStreamEnd(ends, watch, waitMs);
  try {
    for (;;) {
      const from = reachablePlace(log, place);
      const page =
        from.phase === "set"
          ? await pageOfRevocations(deps, log, siteId, from, limit)
          : revocationsAfter(deps, log, siteId, from, limit);
      const isAnswer = page.revocations.length > 0 || page.more || from.phase === "set";
      if (!isAnswer) end.throwIfRefused();
      if (isAnswer || waitMs === 0 || end.ending) return toAnswer(page);
      ({ place } = page);
      await end.wait(waitMs, (wake) => log.onChange(siteId, wake));
    }
  } finally {
    end.release();
  }

  function toAnswer({ revocations, place: next, more, asOf }: RevocationPage) {
    return {
      revocations: revocations.map(toRevocationMessage),
      cursor: sealRevocationCursor(deps, siteId, next),
      more,
      ...(asOf && { asOf: timestampFromDate(asOf) }),
    };
  }
}

function startPlace(deps: Deps, { siteId, cursor }: RevocationWatch): RevocationPlace | undefined {
  return cursor === "" ? undefined : openRevocationCursor(deps, siteId, cursor);
}

/** Sends the set, then the log, until the stream ends; the set again if the log was replaced. */
async function* follow(
  deps: Deps,
  log: RevocationLog,
  { siteId, signal }: RevocationWatch,
  start: RevocationPlace | undefined,
  end: StreamEnd,
): AsyncGenerator<Frame> {
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
    if (page.revocations.length > 0) yield batchFrame(deps, siteId, page);
    if (end.ending) return;
    const nowMs = performance.now();
    if (page.asOf && nowMs >= heartbeatMs) {
      yield heartbeatFrame(deps, siteId, place, page.asOf);
      heartbeatMs = nowMs + HEARTBEAT_MS;
    } else if (page.revocations.length === 0 && from.phase === "tail") {
      const waitMs = Math.max(heartbeatMs - nowMs, STALE_POLL_MS);
      await end.wait(waitMs, (wake) => log.onChange(siteId, wake));
    }
  }
}

/** The closing of the Site is told as a revocation before the stream ends with it. */
function endsAtOnce({ ending }: StreamEnd): boolean {
  return ending !== undefined && ending.goodbye !== GoodbyeReason.SITE_DELETED;
}

function goodbyeFrame(reason: GoodbyeReason, { retryDelayMs = 0 }: StreamEnding): Frame {
  const delayMs =
    reason === GoodbyeReason.DRAINING
      ? retryDelayMs
      : Math.round(RETURN_DELAY_MS_MAX * Math.random());
  const value = { reason, cursor: "", retryDelayMs: BigInt(delayMs) };
  return { frame: { case: "goodbye", value } };
}

function helloFrame(deps: Deps, siteId: SiteId, ageSecondsMax: number): Frame {
  const serverTime = timestampFromDate(deps.clock.now());
  const value = { siteId, heartbeatMs: HEARTBEAT_MS_MAX, ageSecondsMax, serverTime };
  return { frame: { case: "hello", value } };
}

function batchFrame(deps: Deps, siteId: SiteId, { revocations, place }: RevocationPage): Frame {
  const cursor = sealRevocationCursor(deps, siteId, place);
  const value = { revocations: revocations.map(toRevocationMessage), cursor };
  return { frame: { case: "revocationBatch", value } };
}

function heartbeatFrame(deps: Deps, siteId: SiteId, place: RevocationPlace, asOf: Date): Frame {
  const cursor = sealRevocationCursor(deps, siteId, place);
  return { frame: { case: "heartbeat", value: { asOf: timestampFromDate(asOf), cursor } } };
}
