import { describe, expect, test } from "vitest";
import { GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import { insertRevocation } from "../../src/store/revocations.ts";
import { createTestSink } from "../support/test-sink.ts";
import { rejection } from "../support/waiting.ts";
import { openWatchHarness, type WatchHarness } from "../support/watch-harness.ts";

describe("a stream says goodbye", () => {
  test("with MAX_AGE when it has lasted long enough, ends well, and can be resumed", async () => {
    await using harness = await openWatchHarness({ bounds: { ageMs: 2_000, sweepMs: 50 } });
    const sink = createTestSink();
    await harness.run(sink, { snapshot: false });
    const missed = await harness.generator.create();

    const { reason, cursor } = await sink.has("goodbye");
    const resumed = createTestSink();
    await harness.run(resumed, { cursor });

    expect(reason).toBe(GoodbyeReason.MAX_AGE);
    const [batch] = resumed.all("changeBatch");
    expect(batch?.changes.map(({ user }) => user?.id)).toEqual([missed]);
  });

  test("with DRAINING in a shutdown, each with a delay of its own", async () => {
    await using harness = await openWatchHarness();
    const sinks = Array.from({ length: 50 }, createTestSink);
    const ends = sinks.map((sink) => rejection(harness.run(sink, { snapshot: false })));
    for (const sink of sinks) await sink.has("checkpoint");

    await harness.shared.ends.drain();
    const errors = await Promise.all(ends);
    const goodbyes = sinks.map((sink) => sink.all("goodbye")[0]);
    const late = await rejection(harness.run(createTestSink(), { snapshot: false }));

    for (const error of [...errors, late]) expect(error).toMatchObject({ reason: "shutting_down" });
    for (const goodbye of goodbyes) expect(goodbye?.reason).toBe(GoodbyeReason.DRAINING);
    expect(new Set(goodbyes.map((goodbye) => goodbye?.retryDelayMs)).size).toBeGreaterThan(10);
    expect(harness.streams()).toBe(0);
  });

  test("with SITE_DELETED once its Site is closed, an operator's and a late one too", async () => {
    await using harness = await openWatchHarness();
    const sinks = [createTestSink(), createTestSink()] as const;
    const ends = [
      rejection(harness.run(sinks[0], { snapshot: false })),
      rejection(harness.run(sinks[1], { snapshot: false, caller: { kind: "operator" } })),
    ];
    for (const sink of sinks) await sink.has("checkpoint");
    await closeSite(harness);

    const errors = await Promise.all(ends);
    const late = createTestSink();
    const lateError = await rejection(harness.run(late, { snapshot: false }));

    for (const sink of [...sinks, late]) {
      expect(sink.all("goodbye")).toMatchObject([
        { reason: GoodbyeReason.SITE_DELETED, cursor: "" },
      ]);
    }
    for (const error of [...errors, lateError]) {
      expect(error).toMatchObject({ reason: "site_not_found" });
    }
  });

  test("amid a snapshot, with a cursor that goes on where it was", async () => {
    await using harness = await openWatchHarness({ bounds: { ageMs: 400, sweepMs: 50 } });
    const ids = await harness.generator.fill(1_200);
    const sink = createTestSink();
    sink.block();
    const ended = harness.run(sink);
    await sink.has("hello");
    sink.unblock();
    sink.block();
    await sink.has("snapshotPage");
    await ended;
    const { cursor } = await sink.has("goodbye");

    const resumed = createTestSink();
    const resuming = harness.run(resumed, { cursor });
    await resumed.has("snapshotEnd");
    await resuming;

    const pages = [...sink.all("snapshotPage"), ...resumed.all("snapshotPage")];
    expect(sink.all("snapshotEnd")).toEqual([]);
    expect(pages.flatMap(({ users }) => users.map(({ id }) => id))).toEqual(ids.toSorted());
  });
});

/** Writes what DeleteSite writes: the Site's end, as a revocation. */
async function closeSite({ database, siteId, wake }: WatchHarness): Promise<void> {
  const expireTime = new Date(Date.now() + 60_000);
  const notice = { kind: "site_closed", subjectId: siteId, expireTime } as const;
  await database.db.inSite(siteId, (tx) => insertRevocation(tx, siteId, notice, new Date()));
  wake();
}
