import { setTimeout as sleep } from "node:timers/promises";

/** Waits until `check` gives something true, and returns it; fails after 15 s, or at the signal. */
export async function until<T>(
  check: () => T | Promise<T>,
  timeoutMs = 15_000,
  signal?: AbortSignal,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  let problem: unknown;
  while (Date.now() < deadline) {
    signal?.throwIfAborted();
    try {
      const value = await check();
      if (value) return value;
    } catch (error) {
      problem = error;
    }
    await sleep(10);
  }
  throw new Error(`not within ${timeoutMs} ms: ${check}`, { cause: problem });
}

/** Returns what a promise rejects with; fails if it does not. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("expected a rejection");
}
