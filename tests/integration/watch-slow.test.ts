import { describe, expect, test } from "vitest";
import { GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import { createTestSink, type TestSink } from "../support/test-sink.ts";
import { rejection, until } from "../support/waiting.ts";
import { openWatchHarness, type WatchHarness } from "../support/watch-harness.ts";

describe("a reader that does not read", () => {
  test("is sent nothing more, and goes on from the ring where it was", async () => {
    await using harness = await openWatchHarness();
    const [slow, quick] = await openLive(harness, 2);
    slow.block();
    const ids = [await harness.generator.create()];
    await quick.has("changeBatch");
    const before = slow.frames.length;
    for (let n = 0; n < 20; n += 1) ids.push(await harness.generator.create());
    await until(() => idsOf(quick).length === 21);
    const during = slow.frames.length;
    slow.unblock();

    await until(() => idsOf(slow).length === 21);

    expect(during).toBe(before);
    expect(idsOf(slow)).toEqual(ids);
    expect(idsOf(quick)).toEqual(ids);
  });

  test("goes on from the log once the ring has moved on, and then is live again", async () => {
    await using harness = await openWatchHarness({ ringBytesMax: 5_000 });
    const [slow, quick] = await openLive(harness, 2);
    slow.block();
    const first = await harness.generator.create();
    await quick.has("changeBatch");
    const ids = await harness.generator.fill(700);
    await until(() => idsOf(quick).length === 701);
    slow.unblock();
    await until(() => idsOf(slow).length === 701);
    const last = await harness.generator.create();

    await until(() => idsOf(slow).length === 702);

    expect(idsOf(slow)).toEqual([first, ...ids, last]);
    expect(gapsOf(slow)).toEqual([]);
  });

  test("is cut with SLOW after its time, and its cursor brings what it has missed", async () => {
    await using harness = await openWatchHarness({ bounds: { unreadMsMax: 500, sweepMs: 50 } });
    const slow = createTestSink();
    const ending = rejection(harness.run(slow, { snapshot: false }));
    await slow.has("checkpoint");
    slow.block();
    const read = await harness.generator.create();
    await slow.has("changeBatch");
    const missed = await harness.generator.create();

    const error = await ending;
    const goodbye = await slow.has("goodbye");
    const resumed = createTestSink();
    void harness.run(resumed, { cursor: goodbye.cursor });
    await resumed.has("changeBatch");

    expect(error).toMatchObject({ reason: "slow_consumer" });
    expect(goodbye.reason).toBe(GoodbyeReason.SLOW);
    expect(idsOf(slow)).toEqual([read]);
    expect(idsOf(resumed)).toEqual([missed]);
    expect(slow.frames.at(-1)?.message.frame.case).toBe("goodbye");
  });

  test("is cut with SLOW when it stays too far behind, although it reads", async () => {
    const bounds = { behindMax: 400, behindMsMax: 2_000, sweepMs: 50 };
    await using harness = await openWatchHarness({ bounds, ringBytesMax: 1_000 });
    const slow = createTestSink();
    const ending = rejection(harness.run(slow, { snapshot: false }));
    await slow.has("checkpoint");
    const reading = setInterval(() => {
      slow.unblock();
      slow.block();
    }, 150);
    slow.block();
    await harness.generator.fill(20_000);

    const error = await ending;
    clearInterval(reading);

    expect(error).toMatchObject({ reason: "slow_consumer" });
    expect(slow.all("changeBatch").length).toBeGreaterThan(0);
    expect(gapsOf(slow)).toEqual([]);
  });
});

/** Opens streams at the head, and waits until all are live. */
async function openLive(harness: WatchHarness, count: 2): Promise<[TestSink, TestSink]> {
  const sinks = Array.from({ length: count }, createTestSink) as [TestSink, TestSink];
  for (const sink of sinks) {
    void harness.run(sink, { snapshot: false });
    await sink.has("checkpoint");
  }
  return sinks;
}

function idsOf(sink: TestSink): (string | undefined)[] {
  return sink.all("changeBatch").flatMap(({ changes }) => changes.map(({ user }) => user?.id));
}

function gapsOf(sink: TestSink): unknown[] {
  const batches = sink.all("changeBatch");
  return batches.filter((batch, n) => {
    const before = batches[n - 1];
    return before !== undefined && before.position !== batch.previousPosition;
  });
}
