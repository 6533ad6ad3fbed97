import { GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import type { ReaderStep } from "../domain/change-reader.ts";
import type { LiveState } from "../domain/live-state.ts";
import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import { type ApiKeyId, NO_SITE, type SiteId } from "../model/id.ts";
import type { StreamBounds } from "./stream-bounds.ts";

/** Why a stream ends. */
export interface StreamEnding {
  /** Absent: nothing is said, because nobody listens or the error says it all. */
  readonly goodbye?: GoodbyeReason;
  /** What the call fails with; absent: it ends well. */
  readonly error?: unknown;
  /** When to come back. */
  readonly retryDelayMs?: number;
}

/** What a stream tells of; a call that waits or lasts is of a kind too. */
export type StreamKind = "users" | "revocations" | "poll" | "transfer";

/** A stream, or a call that waits, as far as its end is concerned. */
export interface EndingStream {
  readonly kind: StreamKind;
  readonly siteId: SiteId;
  readonly caller: Caller;
  /** The epoch of its positions; absent: it has none. */
  readonly epoch?: number;
  /** When it has lasted long enough, by `performance.now()`. */
  readonly ageEndMs: number;
  /** Called at any time, and perhaps more than once; the first counts. Must not throw. */
  end(ending: StreamEnding): void;
  /** Called at each sweep; a stream that throws ends. */
  tick?(nowMs: number): void;
}

/** Watches over all streams of a process, with one timer for all of them. */
export interface StreamEnds {
  /** Watches over a stream until the returned function is called, which the stream has to do. */
  watch(stream: EndingStream): () => void;
  /** Ends what the log says has ended. Call it after the live state has heard the same. */
  apply(step: ReaderStep): void;
  /** Ends those whose key or Site the live state knows to have ended, however it came to know. */
  recheck(): void;
  /** Makes a drain wait until the returned function is called: a last word is under way. */
  hold(): () => void;
  /** Ends all streams, for a shutdown; resolves when they have, or soon after. */
  drain(): Promise<void>;
  /** A length of life for a new stream, so that those that began together do not end together. */
  ageMs(): number;
  /** How many streams there are. */
  count(): number;
  /** The same by kind. */
  counts(): readonly (readonly [StreamKind, number])[];
}

const KINDS: readonly StreamKind[] = ["users", "revocations", "poll", "transfer"];

/** The client has gone, or the server has given the call up. */
export const CLIENT_LEFT: StreamEnding = {};

/** Creates the watch over streams. */
export function createStreamEnds(live: LiveState, bounds: StreamBounds): StreamEnds {
  const streams = new Set<EndingStream>();
  let timer: NodeJS.Timeout | undefined;
  const emptied = Promise.withResolvers<void>();
  let held = 0;
  let draining = false;

  function sweep(): void {
    const nowMs = performance.now();
    const now = Date.now();
    for (const stream of streams) {
      const { caller } = stream;
      if (nowMs >= stream.ageEndMs) stream.end(maxAge(bounds));
      else if ("expireTime" in caller && now >= (caller.expireTime?.getTime() ?? Infinity)) {
        stream.end(keyEnded(bounds));
      } else tick(stream, nowMs);
    }
  }

  function tick(stream: EndingStream, nowMs: number): void {
    try {
      stream.tick?.(nowMs);
    } catch (error) {
      stream.end({ error }); // It must not take the other streams with it.
    }
  }

  function forget(stream: EndingStream): void {
    if (streams.delete(stream) && streams.size === 0) clearInterval(timer);
    noteEnd();
  }

  function noteEnd(): void {
    if (draining && streams.size + held === 0) emptied.resolve();
  }

  /** It may have happened since the caller was let in, and is not told a second time. */
  function endIfOver(stream: EndingStream): void {
    const { siteId, caller } = stream;
    const key = keyOf(caller);
    if (live.isSiteClosed(siteId)) stream.end(siteDeleted());
    else if (key && live.isKeyRevoked(key.siteId, key.keyId)) stream.end(keyEnded(bounds));
    else if (draining) stream.end(drained(bounds, streams.size));
  }

  return {
    watch(stream) {
      if (streams.size === 0) timer = setInterval(sweep, bounds.sweepMs).unref();
      streams.add(stream);
      endIfOver(stream);
      return () => forget(stream);
    },

    apply({ epoch, epochChanged, rows }) {
      const ended = new Set<string>();
      for (const row of rows) {
        if (row.type !== "notice") continue;
        const { kind, subjectId } = row.notice;
        if (kind === "site_closed") ended.add(row.siteId);
        if (kind === "api_key_revoked") ended.add(`${row.siteId}/${subjectId}`);
      }
      if (ended.size === 0 && !epochChanged) return;
      for (const stream of streams) {
        const key = keyOf(stream.caller);
        if (ended.has(stream.siteId)) stream.end(siteDeleted());
        else if (key && ended.has(`${key.siteId}/${key.keyId}`)) stream.end(keyEnded(bounds));
        else if (epoch > (stream.epoch ?? epoch)) stream.end(epochChange(epoch));
      }
    },

    recheck() {
      for (const stream of streams) endIfOver(stream);
    },

    hold() {
      held += 1;
      let isHeld = true;
      return () => {
        if (isHeld) held -= 1;
        isHeld = false;
        noteEnd();
      };
    },

    async drain() {
      draining = true;
      const count = streams.size;
      for (const stream of streams) stream.end(drained(bounds, count));
      noteEnd();
      const patience = setTimeout(emptied.resolve, bounds.drainMsMax);
      await emptied.promise;
      clearTimeout(patience);
    },

    ageMs: () => bounds.ageMs * (1 + bounds.ageSpread * (2 * Math.random() - 1)),
    count: () => streams.size,
    counts() {
      const counts = new Map<StreamKind, number>(KINDS.map((kind) => [kind, 0]));
      for (const { kind } of streams) counts.set(kind, (counts.get(kind) ?? 0) + 1);
      return [...counts];
    },
  };
}

/** The key that a stream ends with; an access token, or the environment's key, is none. */
function keyOf(caller: Caller): { readonly siteId: SiteId; readonly keyId: ApiKeyId } | undefined {
  if (caller.kind === "site_key") return caller;
  return caller.kind === "operator" && caller.keyId
    ? { siteId: NO_SITE, keyId: caller.keyId }
    : undefined;
}

/** The reader did not read, or stayed too far behind. */
export function slowReader(bounds: StreamBounds): StreamEnding {
  const retryDelayMs = returnDelayMs(bounds);
  const error = new Failure("slow_consumer", {}, { retryDelayMs });
  return { goodbye: GoodbyeReason.SLOW, error, retryDelayMs };
}

/** History may have been taken back, so that positions no longer compare. */
export function epochChange(epoch: number): StreamEnding {
  return { error: new Failure("epoch_changed", { epoch: String(epoch) }) };
}

function maxAge(bounds: StreamBounds): StreamEnding {
  return { goodbye: GoodbyeReason.MAX_AGE, retryDelayMs: returnDelayMs(bounds) };
}

function keyEnded(bounds: StreamBounds): StreamEnding {
  const error = new Failure("credential_invalid");
  return { goodbye: GoodbyeReason.REAUTHENTICATE, error, retryDelayMs: returnDelayMs(bounds) };
}

function siteDeleted(): StreamEnding {
  return { goodbye: GoodbyeReason.SITE_DELETED, error: new Failure("site_not_found") };
}

function drained(bounds: StreamBounds, streams: number): StreamEnding {
  const retryDelayMs = returnDelayMs(bounds, streams);
  const error = new Failure("shutting_down", {}, { retryDelayMs });
  return { goodbye: GoodbyeReason.DRAINING, error, retryDelayMs };
}

/** Different for those that end together, over a longer time if they are many; at least 1 ms. */
function returnDelayMs({ returnMs, returnMsPerStream }: StreamBounds, streams = 1): number {
  return Math.ceil((1 - Math.random()) * Math.max(returnMs, streams * returnMsPerStream));
}
