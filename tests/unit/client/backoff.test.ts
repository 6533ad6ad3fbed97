import { describe, expect, test } from "vitest";
import { jitteredDelayMs, pause } from "../../../src/client/backoff.ts";

const BACKOFF = { firstMs: 200, longestMs: 30_000 };

describe("the delay before a try", () => {
  test("is anything within a window that doubles up to the longest", () => {
    const largest = [1, 2, 3, 8, 9, 1_000].map((n) => jitteredDelayMs(BACKOFF, n, () => 1));
    const smallest = [1, 9].map((n) => jitteredDelayMs(BACKOFF, n, () => 0));

    expect(largest).toEqual([200, 400, 800, 25_600, 30_000, 30_000]);
    expect(smallest).toEqual([0, 0]);
  });
});

describe("a pause", () => {
  test("ends early when it is aborted", async () => {
    const startMs = performance.now();

    await pause(60_000, AbortSignal.timeout(10));
    await pause(60_000, AbortSignal.abort());

    expect(performance.now() - startMs).toBeLessThan(5_000);
  });
});
