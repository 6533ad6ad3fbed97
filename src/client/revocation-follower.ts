import { hostname } from "node:os";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import type { WatchRevocationsResponse } from "../../gen/signet/v1/sync_service_pb.ts";
import { jitteredDelayMs, pause } from "./backoff.ts";
import { reasonOf, retryDelayMsOf } from "./errors.ts";
import { missedHeartbeatsMs } from "./frame-reader.ts";
import { createHeartbeatClock, type HeartbeatClock } from "./heartbeat-clock.ts";
import { createRevocationSet } from "./revocation-set.ts";
import { openRevocationStream } from "./revocation-stream.ts";
import { createStatusFeed, type SubscriptionStatus } from "./subscription-status.ts";
import type { OwnTransport } from "./transport.ts";
import type { CheckedToken } from "./verified-token.ts";

/**
 * What a follower is doing: as with a subscription, but without `snapshot` and `lagging`.
 * `off`: the key may not follow revocations, and nobody insisted. Tokens are then good until they
 * expire.
 */
export type RevocationStatus = SubscriptionStatus | { readonly type: "off" };

/** Hears what has ended of a Site, over as many connections as it takes. */
export interface RevocationFollower {
  /** Opens the stream, once; resolves when it is known how that went, or after 2 s. */
  start(): Promise<void>;
  refuses(token: CheckedToken): boolean;
  /** Tells whether it would know: what it knows is no older than the time of three heartbeats. */
  isCurrent(): boolean;
  /** How long ago it last knew everything, in milliseconds; infinite if it never did. */
  staleMs(): number;
  readStatus(): AsyncGenerator<RevocationStatus, void, undefined>;
  close(): void;
}

/** How to follow. */
export interface FollowerOptions {
  readonly openTransport: () => OwnTransport;
  readonly siteId: string | undefined;
  /** Ends it, as `close` does. */
  readonly signal: AbortSignal;
  /** Whether a key that may not follow revocations makes it a verifier without them. */
  readonly optional: boolean;
}

const BACKOFF = { firstMs: 100, longestMs: 10_000 };
/** A server cannot send a verifier away for longer. */
const SERVER_DELAY_MS_MAX = 10_000;
const START_MS_MAX = 2_000;
const CLIENT_ID = `${hostname().slice(0, 48)}/${process.pid}`; // At most 64 characters.

/** How a stream ended, and whether it was complete before. */
interface StreamEnd {
  readonly heard: boolean;
  readonly error: unknown;
  readonly delayMs: number;
}

/** Makes a follower, which opens nothing before its start. */
export function createRevocationFollower(options: FollowerOptions): RevocationFollower {
  const set = createRevocationSet();
  const status = createStatusFeed<{ readonly type: "off" }>();
  const ending = new AbortController();
  const started = Promise.withResolvers<void>();
  let running: Promise<void> | undefined;
  let cursor = "";
  let leaseMs = 0;
  /** Up to when everything is known, on the clock that nobody sets. */
  let heardMs = Number.NEGATIVE_INFINITY;
  let off = false;

  async function followStream(): Promise<StreamEnd> {
    let heard = false;
    const { openTransport, siteId } = options;
    const request = { siteId, cursor, clientId: CLIENT_ID, signal: ending.signal };
    const clock = createHeartbeatClock();
    using frames = openRevocationStream(openTransport(), request);
    for (;;) {
      const result = await frames.next();
      if (!result.frame) {
        return { heard, error: result.error, delayMs: retryDelayMsOf(result.error) };
      }
      const { frame } = result.frame;
      if (frame.case === "goodbye") {
        return { heard, error: undefined, delayMs: Number(frame.value.retryDelayMs) };
      }
      take(result.frame, clock);
      if (frame.case !== "heartbeat") continue;
      // What is read next is as late; another stream begins with what there is now.
      if (!isCurrent()) return { heard, error: tooLate(), delayMs: 0 };
      heard = true;
      status.publish({ type: "live" });
      started.resolve();
    }
  }

  function take({ frame }: WatchRevocationsResponse, clock: HeartbeatClock): void {
    switch (frame.case) {
      case "hello":
        leaseMs = missedHeartbeatsMs(frame.value.heartbeatMs);
        clock.noteHello(frame.value.serverTime);
        return;
      case "revocationBatch":
        set.add(frame.value.revocations);
        ({ cursor } = frame.value);
        return;
      case "heartbeat":
        heardMs = Math.max(heardMs, clock.knownMs(frame.value.asOf));
        ({ cursor } = frame.value);
        return;
      case "goodbye":
      case undefined: // Of a newer Signet.
        return;
    }
  }

  function isCurrent(): boolean {
    return off || performance.now() - heardMs < leaseMs;
  }

  async function follow(): Promise<void> {
    let failures = 0;
    while (!ending.signal.aborted) {
      status.publish({ type: "connecting" });
      const { heard, error, delayMs } = await followStream();
      if (ending.signal.aborted) return;
      if (isUnwanted(error)) return switchOff();
      if (reasonOf(error) === ErrorReason.INVALID_CURSOR) cursor = "";
      started.resolve();
      failures = heard ? 1 : failures + 1;
      const attempt = error === undefined ? 0 : failures;
      const waitMs = serverDelayMs(delayMs) + jitteredDelayMs(BACKOFF, failures);
      status.publish({ type: "reconnecting", attempt, delayMs: waitMs, error });
      await pause(waitMs, ending.signal);
    }
  }

  /** Not once revocations were heard: what refuses tokens does not vanish with another key. */
  function isUnwanted(error: unknown): boolean {
    const isDenied = reasonOf(error) === ErrorReason.ACCESS_DENIED;
    return isDenied && options.optional && heardMs === Number.NEGATIVE_INFINITY;
  }

  function switchOff(): void {
    off = true;
    status.publish({ type: "off" });
    started.resolve();
  }

  function close(): void {
    options.signal.removeEventListener("abort", close);
    ending.abort();
    status.close(undefined);
    started.resolve();
  }
  options.signal.addEventListener("abort", close);
  if (options.signal.aborted) close();

  return {
    async start() {
      if (running) return await started.promise;
      running = follow();
      const late = setTimeout(started.resolve, START_MS_MAX);
      await started.promise;
      clearTimeout(late);
    },
    refuses: set.refuses,
    isCurrent,
    staleMs: () => performance.now() - heardMs,
    readStatus: status.read,
    close,
  };
}

function tooLate(): ConnectError {
  return new ConnectError("heartbeats come too late", Code.Unavailable);
}

function serverDelayMs(delayMs: number): number {
  return Math.min(Math.max(delayMs, 0), SERVER_DELAY_MS_MAX);
}
