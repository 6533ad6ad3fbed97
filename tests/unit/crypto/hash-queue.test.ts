import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createHashQueue } from "../../../src/crypto/hash-queue.ts";
import { Failure } from "../../../src/model/failure.ts";
import { newId, type SiteId } from "../../../src/model/id.ts";

const [busy, quiet] = [newId<SiteId>(), newId<SiteId>()];

/** A hash that ends when the test says so. */
function heldHash() {
  const { promise, resolve } = Promise.withResolvers<string>();
  return { hash: () => promise, finish: () => resolve("done") };
}

/** Fills every place of the queue; `finish` frees them. */
function occupy(queue: ReturnType<typeof createHashQueue>, places: number) {
  const held = Array.from({ length: places }, heldHash);
  const done = Promise.all(held.map(({ hash }) => queue.run({ siteId: busy }, hash)));
  return { done, finish: () => held.forEach(({ finish }) => void finish()) };
}

const outcome = (run: Promise<unknown>) =>
  run.then(
    () => "done",
    (error: unknown) => (error instanceof Failure ? error.reason : error),
  );

describe("hash queue", () => {
  test("runs no more at once than it may", async () => {
    const queue = createHashQueue({ concurrency: 2 });
    let [running, most] = [0, 0];
    const hash = async () => {
      most = Math.max(most, ++running);
      await sleep(2);
      running--;
    };

    await Promise.all(Array.from({ length: 20 }, () => queue.run({ siteId: busy }, hash)));

    expect(most).toBe(2);
    expect(queue.stats()).toMatchObject({ running: 0, waiting: 0, completedTotal: 20 });
  });

  test("frees its place when a hash fails", async () => {
    const queue = createHashQueue({ concurrency: 1 });

    await expect(
      queue.run({ siteId: busy }, () => Promise.reject(new Error("no"))),
    ).rejects.toThrow("no");

    expect(await queue.run({ siteId: busy }, async () => "next")).toBe("next");
    expect(queue.stats().running).toBe(0);
  });

  test("lets Sites take turns, whoever came first", async () => {
    const queue = createHashQueue({ concurrency: 1 });
    const places = occupy(queue, 1);
    const order: string[] = [];
    const enter = (siteId: SiteId, name: string) =>
      queue.run({ siteId }, async () => order.push(name));

    const entries = ["b1", "b2", "b3", "b4"].map((name) => enter(busy, name));
    entries.push(enter(quiet, "q1"), enter(quiet, "q2"));
    places.finish();
    await Promise.all([places.done, ...entries]);

    expect(order).toEqual(["b1", "q1", "b2", "q2", "b3", "b4"]);
  });

  test("refuses at once, with a delay, what would wait for more than 500 ms", async () => {
    const queue = createHashQueue({ concurrency: 2 });
    const places = occupy(queue, 2);

    const entries = Array.from({ length: 100 }, () => queue.run({ siteId: busy }, async () => 1));
    const refused = entries.slice(-1)[0]?.catch((error: unknown) => error);
    const outcomes = Promise.all(entries.map(outcome));

    expect(await refused).toMatchObject({ reason: "overloaded", retryDelayMs: expect.any(Number) });
    expect(queue.stats().waiting).toBe(32); // 400 ms, 2 places, 25 ms each before any measure.
    places.finish();
    expect((await outcomes).filter((each) => each === "done")).toHaveLength(32);
    expect(queue.stats()).toMatchObject({ shedTotal: 68, waiting: 0, running: 0 });
    await places.done;
  });

  test("makes room for a quiet Site by refusing the newest of the busy one", async () => {
    const queue = createHashQueue({ concurrency: 2 });
    const places = occupy(queue, 2);
    const flood = Array.from({ length: 100 }, () => queue.run({ siteId: busy }, async () => 1));
    const floodOutcomes = Promise.all(flood.map(outcome));

    const calm = Array.from({ length: 10 }, () => queue.run({ siteId: quiet }, async () => 1));
    const calmOutcomes = Promise.all(calm.map(outcome));
    places.finish();

    expect(await calmOutcomes).toEqual(Array.from({ length: 10 }, () => "done"));
    expect((await floodOutcomes).filter((each) => each === "done")).toHaveLength(22);
    await places.done;
  });

  test("refuses what cannot be done before the caller's deadline", async () => {
    const queue = createHashQueue({ concurrency: 1 });
    const places = occupy(queue, 1);

    const refused = outcome(queue.run({ siteId: busy, timeoutMs: 30 }, async () => 1));

    expect(await refused).toBe("overloaded");
    places.finish();
    await places.done;
  });

  test("refuses after its bound what the estimate let in, when hashes take longer", async () => {
    const queue = createHashQueue({ concurrency: 1, waitMsMax: 60 });
    const places = occupy(queue, 1);
    let hashed = false;

    const refused = outcome(queue.run({ siteId: busy }, async () => (hashed = true)));

    expect(await refused).toBe("overloaded");
    places.finish();
    await places.done;
    expect(hashed).toBe(false);
  });

  test("drops entries whose caller has gone, before they are hashed", async () => {
    const queue = createHashQueue({ concurrency: 1 });
    const places = occupy(queue, 1);
    const caller = new AbortController();
    let hashed = false;

    const run = queue.run({ siteId: busy, signal: caller.signal }, async () => (hashed = true));
    const gone = run.catch((error: unknown) => error);
    caller.abort(new Error("gone"));

    expect(await gone).toEqual(new Error("gone"));
    places.finish();
    await places.done;
    expect(hashed).toBe(false);
    expect(queue.stats()).toMatchObject({ droppedTotal: 1, waiting: 0, running: 0 });
  });

  test("does not begin for a caller who has gone already", async () => {
    const queue = createHashQueue({ concurrency: 1 });
    const signal = AbortSignal.abort(new Error("gone"));

    await expect(queue.run({ siteId: busy, signal }, async () => 1)).rejects.toThrow("gone");
    expect(queue.stats().completedTotal).toBe(0);
  });

  test("goes on with the pace that it measures", async () => {
    const queue = createHashQueue({ concurrency: 1 });

    for (let n = 0; n < 100; n++) await queue.run({ siteId: busy }, async () => {});

    expect(queue.stats().hashMs).toBeLessThan(20);
  });
});
