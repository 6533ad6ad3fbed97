import { pause } from "./backoff.ts";
import { MirrorError, MirrorTimeoutError } from "./mirror-error.ts";
import type { MirrorState, MirrorStorage } from "./mirror-storage.ts";

/** How long a Mirror may stand still before whoever waits for it gives up, in milliseconds. */
const STANDSTILL_MS_MAX = 30_000;
const POLL_MS_FIRST = 10;
const POLL_MS_MAX = 250;

/**
 * Waits until a Mirror, filled and fed by whichever instance, has applied everything up to a
 * position; without one, until it is filled.
 *
 * @throws {MirrorTimeoutError} where it stands still before.
 * @throws {MirrorError} where the Site was deleted.
 */
export async function untilReached<Transaction>(
  storage: Pick<MirrorStorage<Transaction>, "readState">,
  place: { readonly epoch: number; readonly position: bigint } | undefined,
  signal: AbortSignal,
): Promise<MirrorState> {
  let seen = "";
  let deadlineMs = 0;
  for (let pollMs = POLL_MS_FIRST; ; pollMs = Math.min(2 * pollMs, POLL_MS_MAX)) {
    signal.throwIfAborted();
    const state = await storage.readState();
    const { phase, epoch, position, snapshotAfter } = state;
    if (phase === "site_deleted") throw new MirrorError("the Site was deleted");
    const follows = phase === "tail" || phase === "compare";
    const isThere = !place || (epoch === place.epoch && position >= place.position);
    if (follows && isThere) return state;
    const present = [phase, epoch, position, snapshotAfter].join();
    if (present !== seen) deadlineMs = performance.now() + STANDSTILL_MS_MAX;
    else if (performance.now() > deadlineMs) {
      throw new MirrorTimeoutError(`the mirror stands still at position ${position}`);
    }
    seen = present;
    await pause(pollMs, signal);
  }
}
