import type { User } from "../../gen/signet/v1/user_pb.ts";
import { pause } from "./backoff.ts";
import { MirrorTimeoutError } from "./mirror-error.ts";

/** For how long to wait. */
export interface WaitOptions {
  /** In milliseconds; default 5,000. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Lets callers wait for what a Mirror is to hold. */
export interface MirrorWaiting {
  /** Wakes those who wait for one of these Users, or for the Mirror as a whole. */
  note(users: readonly User[]): void;
  /**
   * Waits until `check` holds. `isIn` tells, without asking the storage, whether the Users just
   * written answer the question.
   *
   * @throws {MirrorTimeoutError} where it does not hold in time.
   */
  until(
    check: () => Promise<boolean>,
    isIn: (users: readonly User[]) => boolean,
    options: WaitOptions,
  ): Promise<void>;
}

const TIMEOUT_MS = 5_000;
/** Another instance may write what is waited for, and only the storage tells. */
const POLL_MS_FIRST = 5;
const POLL_MS_MAX = 250;

/** Makes waiting for one instance of a Mirror. */
export function createMirrorWaiting(): MirrorWaiting {
  const waiting = new Set<(users: readonly User[]) => void>();
  return {
    note(users) {
      for (const listen of waiting) listen(users);
    },
    async until(check, isIn, { timeoutMs = TIMEOUT_MS, signal }) {
      const deadlineMs = performance.now() + timeoutMs;
      const found = new AbortController();
      const listen = (users: readonly User[]) => {
        if (isIn(users)) found.abort();
      };
      const waking = signal ? AbortSignal.any([found.signal, signal]) : found.signal;
      waiting.add(listen);
      try {
        for (let pollMs = POLL_MS_FIRST; ; pollMs = Math.min(2 * pollMs, POLL_MS_MAX)) {
          signal?.throwIfAborted();
          if (found.signal.aborted || (await check())) return;
          const leftMs = deadlineMs - performance.now();
          if (leftMs <= 0) throw new MirrorTimeoutError(`not within ${timeoutMs} ms`);
          await pause(Math.min(pollMs, leftMs), waking);
        }
      } finally {
        waiting.delete(listen);
      }
    },
  };
}
