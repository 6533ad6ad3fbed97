import type { Caller } from "../model/caller.ts";
import type { SiteId } from "../model/id.ts";
import { CLIENT_LEFT, type StreamEnding, type StreamEnds, type StreamKind } from "./stream-ends.ts";

/** Why and when a call that waits for something ends before it comes. */
export interface StreamEnd {
  /** Absent as long as it goes on. */
  readonly ending: StreamEnding | undefined;
  /** After how long, at most, it ends by itself. */
  readonly ageSecondsMax: number;
  /** Ends it, unless it has ended already. */
  end(ending: StreamEnding): void;
  /** Waits at most `ms` for `subscribe` to wake it, or for the end. */
  wait(ms: number, subscribe: (wake: () => void) => () => void): Promise<void>;
  /** @throws what the call has to fail with, if it has ended so. */
  throwIfRefused(): void;
  release(): void;
}

/** Watches over a call that waits: its age, its key, its Site, its client and the process. */
export function createStreamEnd(
  ends: StreamEnds,
  {
    kind,
    siteId,
    caller,
    signal,
    epoch,
  }: {
    readonly kind: StreamKind;
    readonly siteId: SiteId;
    readonly caller: Caller;
    readonly signal: AbortSignal;
    readonly epoch?: number;
  },
  ageMsMax: number = ends.ageMs(),
): StreamEnd {
  let ending: StreamEnding | undefined;
  let wakeUp = (): void => undefined;
  const end = (why: StreamEnding): void => {
    ending ??= why;
    wakeUp();
  };
  // A generator that is blocked never gets to its `finally`; the signal does come.
  const leave = (): void => {
    end(CLIENT_LEFT);
    release();
  };
  const ageEndMs = performance.now() + ageMsMax;
  const forget = ends.watch({ kind, siteId, caller, ageEndMs, end, ...(epoch && { epoch }) });
  const release = (): void => {
    forget();
    signal.removeEventListener("abort", leave);
    wakeUp();
  };
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();

  return {
    ageSecondsMax: Math.round(ageMsMax / 1_000),
    get ending() {
      return ending;
    },
    end,
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
        if (ending) wakeUp();
      });
    },
    throwIfRefused() {
      if (ending?.error !== undefined) throw ending.error;
    },
    release,
  };
}
