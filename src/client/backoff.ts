import { setTimeout } from "node:timers/promises";

/** How long to wait before tries, in milliseconds. */
export interface Backoff {
  /** The window of the first wait; it doubles with each failure. */
  readonly firstMs: number;
  /** The largest window. */
  readonly longestMs: number;
}

/**
 * Chooses how long to wait after the given number of failures in a row, from 1 on: any time
 * within the window, so that callers who failed together do not come back together.
 */
export function jitteredDelayMs(
  { firstMs, longestMs }: Backoff,
  failures: number,
  random: () => number = Math.random,
): number {
  return Math.round(random() * Math.min(longestMs, firstMs * 2 ** (failures - 1)));
}

/** Waits; returns early when the signal is aborted, which the caller checks. */
export async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(delayMs, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
