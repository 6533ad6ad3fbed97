import { describe, expect, test } from "vitest";
import { MirrorState } from "../../gen/signet/v1/change_pb.ts";
import type { UserMirrorEvent } from "../../src/client/index.ts";
import { VERSION } from "../../src/client/version.ts";
import { until } from "../support/waiting.ts";
import { beginTrial, type MirrorUnderTest, WAIT_MS } from "./mirror-trial.ts";
import { idOf } from "./site-model.ts";

/** Describes what a Mirror tells of itself, here and to Signet. */
export function describeHealth<Transaction>(
  name: string,
  create: () => Promise<MirrorUnderTest<Transaction>>,
): void {
  const begin = (count: number) => beginTrial(create, count);

  describe(`${name}: the report of a mirror`, () => {
    test("names it, and says where it stands, with its sums and those of the Site", async () => {
      const { site, stored, open, converged } = await begin(5);
      open({ name: "the shop" });
      await converged();

      const report = await until(() =>
        site.reports.find(({ checkpointSums, state }) => checkpointSums && state === LIVE),
      );
      const { id } = await stored.open().readRecord();

      expect(report).toMatchObject({ id, name: "the shop", epoch: 1, position: 5n });
      expect(report.sums).toEqual(report.checkpointSums);
      expect(report.sums?.count).toBe(5n);
      expect(report.lastReconcile).toBeUndefined();
      expect(report.software).toBe(`signet-client/${VERSION} (Node.js ${process.version})`);
    });

    test("comes again in time, and as soon as the state changes", async () => {
      const { site, open } = await begin(5);
      const mirror = open();
      await until(() => site.reports.length > 2, WAIT_MS);
      await mirror.reconcile();

      await until(() => site.reports.at(-1)?.lastReconcile, WAIT_MS);
      site.faults.wrongSums = true;
      await until(() => site.reports.at(-1)?.state === MirrorState.DIVERGED, WAIT_MS);

      const ids = new Set(site.reports.map(({ id }) => id));
      expect(ids.size).toBe(1);
    });

    test("may fail, and the mirror works as before", async () => {
      const { site, open, converged } = await begin(5);
      site.faults.noReports = true;
      const mirror = open();
      await until(() => mirror.metrics().reportFailures > 0, WAIT_MS);

      site.put(idOf(6));
      await converged();

      expect(mirror.counters.failures).toBe(0);
    });
  });

  describe(`${name}: a mirror that hears nothing`, () => {
    test("tells of it after the limit, with the error, and of the end", async () => {
      const { site, open, converged } = await begin(2);
      const events: UserMirrorEvent[] = [];
      const mirror = open({ silenceLimitMs: 300, onEvent: (event) => events.push(event) });
      await converged();

      site.faults.away = true;
      site.cut();
      const failing = await until(() => events.find(({ type }) => type === "delivery_failing"));
      site.faults.away = false;
      await until(() => events.at(-1)?.type === "in_sync", WAIT_MS);

      expect(failing).toMatchObject({ silentMs: expect.any(Number), error: expect.any(Error) });
      expect(mirror.metrics().deliveryFailures).toBeGreaterThanOrEqual(1);
    });
  });

  test(`${name}: a mirror that lags beyond the limit tells of it, and of the end`, async () => {
    const { site, open, converged } = await begin(2);
    const first = open();
    await converged();
    await first.close();
    for (let n = 3; n <= 9; n++) site.put(idOf(n));
    const events: UserMirrorEvent[] = [];
    const caughtUp = Promise.withResolvers<void>();

    const second = open({
      lagLimitMs: 50,
      onEvent: (event) => events.push(event),
      onCreate: () => caughtUp.promise,
    });
    const event = await until(() => events[0]);
    caughtUp.resolve();
    await until(() => events.at(-1)?.type === "in_sync");

    expect(event).toMatchObject({ type: "out_of_sync", cause: "lagging", behind: 7n });
    expect(second.metrics()).toMatchObject({ outOfSync: 1, behind: 0n });
  });

  test(`${name}: a listener that throws does not disturb the mirror`, async () => {
    const { site, open, converged } = await begin(3);
    const mirror = open({
      onEvent() {
        throw new Error("no room");
      },
    });
    await until(() => mirror.metrics().sumsEqual);

    site.forget(idOf(2));
    await converged();

    expect(mirror.counters.failures).toBe(0);
  });
}

const { LIVE } = MirrorState;
