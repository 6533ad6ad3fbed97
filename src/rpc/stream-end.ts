import { GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import type { LiveState } from "../domain/live-state.ts";
import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";

/** Why and when a stream ends, besides by the client's leaving. */
export interface StreamEnd {
  readonly reason: "max_age" | "key_ended" | undefined;
  /** After how long, at most, the stream ends by itself. */
  readonly ageSecondsMax: number;
  /** Waits at most `ms` for `subscribe` to wake it, the stream's end or the client's leaving. */
  wait(ms: number, subscribe: (wake: () => void) => () => void): Promise<void>;
  /** @throws {Failure} `credential_invalid` if the caller's key has ended. */
  throwIfRefused(): void;
  release(): void;
}

const TIMER_MS_MAX = 2 ** 31 - 1;
const AGE_SECONDS = 30 * 60;
const AGE_SPREAD = 0.2; // So that streams that began together do not end together.

const GOODBYE = {
  max_age: GoodbyeReason.MAX_AGE,
  key_ended: GoodbyeReason.REAUTHENTICATE,
} as const;

/** Makes the last frame of a stream; those that end together come back at different times. */
export function goodbye(reason: NonNullable<StreamEnd["reason"]>, returnDelayMsMax: number) {
  const retryDelayMs = BigInt(Math.round(returnDelayMsMax * Math.random()));
  const value = { reason: GOODBYE[reason], cursor: "", retryDelayMs };
  return { frame: { case: "goodbye", value } } as const;
}

/** Watches over a stream: its age, and the key that opened it. */
export function createStreamEnd(
  live: LiveState,
  { caller, signal }: { readonly caller: Caller; readonly signal: AbortSignal },
  ageMsMax: number = streamAgeMs(),
): StreamEnd {
  let reason: StreamEnd["reason"];
  let wakeUp = (): void => undefined;
  const end = (why: NonNullable<StreamEnd["reason"]>) => {
    reason ??= why;
    wakeUp();
  };
  const ageTimer = setTimeout(end, ageMsMax, "max_age");
  const stopKeyWatch = watchKey(live, caller, () => end("key_ended"));
  const release = (): void => {
    clearTimeout(ageTimer);
    stopKeyWatch();
    signal.removeEventListener("abort", release);
    wakeUp();
  };
  // A generator that is blocked never gets to its `finally`; the signal does come.
  signal.addEventListener("abort", release, { once: true });

  return {
    ageSecondsMax: Math.round(ageMsMax / 1_000),
    get reason() {
      return reason;
    },
    wait(ms, subscribe) {
      return new Promise((resolve) => {
        const timer = setTimeout(() => wakeUp(), ms);
        const unsubscribe = subscribe(() => wakeUp());
        wakeUp = () => {
          wakeUp = () => undefined;
          clearTimeout(timer);
          unsubscribe();
          resolve();
        };
        if (signal.aborted || reason !== undefined) wakeUp();
      });
    },
    throwIfRefused() {
      if (reason === "key_ended") throw new Failure("credential_invalid");
    },
    release,
  };
}

function streamAgeMs(): number {
  return AGE_SECONDS * 1_000 * (1 - AGE_SPREAD + 2 * AGE_SPREAD * Math.random());
}

/** Calls `onEnd` when the caller's key expires or is revoked; returns how to stop. */
function watchKey(live: LiveState, caller: Caller, onEnd: () => void): () => void {
  if (caller.kind !== "site_key") return () => undefined;
  const { siteId, keyId, expireTime } = caller;
  const untilMs = expireTime ? expireTime.getTime() - Date.now() : Number.POSITIVE_INFINITY;
  const timer = untilMs <= TIMER_MS_MAX ? setTimeout(onEnd, untilMs) : undefined;
  const stop = live.onKeyRevoked(siteId, keyId, onEnd);
  // It may have happened since the caller was let in, and is not told a second time.
  if (live.isKeyRevoked(siteId, keyId)) onEnd();
  return () => {
    clearTimeout(timer);
    stop();
  };
}
