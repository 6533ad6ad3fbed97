import { describe, expect, test } from "vitest";
import type { MirrorStorage, UserMirrorEvent } from "../../src/client/index.ts";
import { until } from "../support/waiting.ts";
import { beginTrial, type MirrorTrial, type MirrorUnderTest, WAIT_MS } from "./mirror-trial.ts";
import { sumsOf } from "./site-digests.ts";
import { idOf } from "./site-model.ts";

const NOTHING_FOUND = { missing: 0, stale: 0, extra: 0, altered: 0, repaired: 0 };

/** Describes how a Mirror finds out that it is exact, and what it does where it is not. */
export function describeExactness<Transaction>(
  name: string,
  create: () => Promise<MirrorUnderTest<Transaction>>,
): void {
  const begin = (count: number) => beginTrial(create, count);

  describe(`${name}: the sums of a mirror`, () => {
    test.each(["duplicates", "disorder", "gap", "cuts", "noSums"] as const)(
      "are those of its rows in spite of %s on the way",
      async (fault) => {
        const { site, stored, open, converged } = await begin(5);
        site.faults[fault] = true;
        const mirror = open();
        await converged();

        for (const n of [1, 2, 2, 6, 7]) site.put(idOf(n), `new${n}@example.com`);
        site.remove(idOf(2));
        site.remove(idOf(7));
        await mirror.ensureUser(idOf(6));
        await converged();
        site.faults[fault] = false;

        await until(() => mirror.metrics().sumsEqual);
        expect(mirror.metrics()).toMatchObject({ outOfSync: 0, usersDiffering: 0, snapshots: 1 });
        expect(await countedBy(stored.open())).toEqual(await sumsHeld(site));
      },
      2 * WAIT_MS,
    );

    test("are right whichever instance writes, by stream or on demand", async () => {
      const { site, open, converged } = await begin(3);
      const mirrors = [open(), open()];
      await converged();

      for (let n = 4; n < 40; n++) {
        site.put(idOf(n % 20), `${n}@example.com`);
        await mirrors[n % 2]?.ensureUser(idOf(n % 20));
        if (n % 5 === 0) site.remove(idOf(n % 20));
      }
      await converged();
      site.put(idOf(1));
      await until(() => mirrors.some((mirror) => mirror.metrics().sumsEqual), WAIT_MS);

      const found = mirrors.reduce((sum, mirror) => sum + mirror.metrics().usersDiffering, 0);
      expect(found).toBe(0);
    });

    test.each([
      ["missing", (site: Site) => site.putSilently(idOf(9))],
      ["stale", (site: Site) => site.putSilently(idOf(3), "new@example.com")],
      ["extra", (site: Site) => site.forget(idOf(3))],
    ] as const)("tell of a User who is %s at the next checkpoints", async (difference, miss) => {
      const { site, open, converged } = await begin(5);
      const events: UserMirrorEvent[] = [];
      const statuses: string[] = [];
      const mirror = open({ onEvent: (event) => events.push(event) });
      void collect(mirror.status, statuses);
      await until(() => mirror.metrics().sumsEqual);

      miss(site);
      await converged();
      await until(() => events.at(-1)?.type === "in_sync");

      const [first, second] = events;
      expect(first).toMatchObject({ type: "out_of_sync", cause: "diverged" });
      expect(second).toMatchObject({ type: "user_differs", difference, repaired: true });
      expect(events).toHaveLength(3);
      expect(statuses).toEqual(expect.arrayContaining(["diverged", "repairing", "live"]));
      expect(mirror.metrics()).toMatchObject({ usersDiffering: 1, outOfSync: 1, snapshots: 1 });
    });

    test("that no comparison can cure are told of, and not compared in a loop", async () => {
      const { site, open } = await begin(4);
      const events: UserMirrorEvent[] = [];
      const mirror = open({ onEvent: (event) => events.push(event) });
      await until(() => mirror.metrics().sumsEqual);

      site.faults.wrongSums = true;
      await until(() => events.some((event) => "cause" in event && event.cause === "not_cured"));
      const compared = mirror.metrics().checkpointsCompared;
      await until(() => mirror.metrics().checkpointsCompared > compared + 5);

      expect(mirror.metrics()).toMatchObject({ reconciles: 1, usersDiffering: 0, outOfSync: 1 });
      site.faults.wrongSums = false;
      await until(() => events.at(-1)?.type === "in_sync");
    });
  });

  describe(`${name}: a comparison`, () => {
    test("tells what differs, and leaves it so where it is not to repair", async () => {
      const { site, stored, mirror, reconciled } = await beginQuiet(begin, 40);
      await plant({ site, stored });
      const before = await stored.users();

      const report = await mirror.reconcile({ repair: false, deep: true });
      const after = await stored.users();
      const found = { missing: 2, stale: 1, extra: 1, altered: 1, repaired: 0 };

      expect(report).toMatchObject({ ...found, repair: false, deep: true });
      expect(after).toEqual(before);
      expect(await stored.open().readRecord()).toMatchObject({ last: found, lastDeep: found });
      await reconciled({ ...found, repaired: 5 });
    });

    test("finds a hand edit only if it is a deep one", async () => {
      const { stored, mirror, reconciled } = await beginQuiet(begin, 5);
      await stored.tamper(idOf(2), "mallory@example.com");

      expect(await mirror.reconcile()).toMatchObject(NOTHING_FOUND);
      await reconciled({ ...NOTHING_FOUND, altered: 1, repaired: 1 });
    });

    test("takes Changes on their way for no difference", async () => {
      const { site, mirror, converged } = await beginQuiet(begin, 30);
      let n = 0;
      const writing = setInterval(() => site.put(idOf(1 + (n++ % 50))), 8);
      try {
        for (let round = 0; round < 5; round++) {
          expect(await mirror.reconcile()).toMatchObject(NOTHING_FOUND);
        }
      } finally {
        clearInterval(writing);
      }
      await converged();
    });

    test("ends when its signal is aborted", async () => {
      const { mirror } = await beginQuiet(begin, 3);
      const signal = AbortSignal.abort(new Error("left"));

      await expect(mirror.reconcile({ signal })).rejects.toThrow("left");
    });

    test("runs by itself as often as it is to", async () => {
      const { site, stored, open, converged } = await begin(5);
      site.faults.noSums = true;
      const mirror = open({ reconcileEverySeconds: 1 });
      await converged();

      await stored.tamper(idOf(2), "mallory@example.com");
      site.forget(idOf(3));
      await converged();

      await until(() => mirror.metrics().usersRepaired === 2);
      expect(mirror.counters).toMatchObject({ snapshots: 1, failures: 0 });
    });
  });

  describe(`${name}: a mirror whose cursor is of no use`, () => {
    test.each([
      ["has expired", (site: Site) => site.expireCursors()],
      ["lies ahead", (site: Site) => site.fallBack()],
      ["is of another epoch", (site: Site) => site.restoreBackup(idOf(2), "old@example.com")],
    ] as const)("since it %s compares itself, and downloads nothing again", async (_, lose) => {
      const { site, stored, open, converged } = await begin(40);
      site.put(idOf(2), "lost@example.com");
      const mirror = open();
      await converged();
      const written = mirror.counters.written;

      for (const n of [1, 5, 8]) site.forget(idOf(n));
      site.putSilently(idOf(50));
      lose(site);
      await converged();
      await mirror.waitUntilFilled({ timeoutMs: WAIT_MS });
      site.put(idOf(60));
      await converged();
      await until(() => mirror.metrics().sumsEqual);

      expect(mirror.metrics()).toMatchObject({ snapshots: 1, usersDiffering: expect.any(Number) });
      expect(mirror.counters.written - written).toBe(1);
      expect(await countedBy(stored.open())).toEqual(await sumsHeld(site));
    });

    test("goes on comparing where the instance before it was stopped", async () => {
      const { site, stored, open, converged } = await begin(20);
      const first = open();
      await converged();
      await first.close();
      const storage = stored.open();
      const writer = await storage.lead();
      const state = await storage.readState();
      const rules = { tombstones: "keep", onCreate: undefined } as const;
      const nobody = { users: [], gone: [], everyone: false };
      await writer?.move(state, { ...state, phase: "compare" }, nobody, rules);
      await writer?.release();
      site.forget(idOf(7));

      const second = open();
      await converged();
      await second.waitUntilFilled({ timeoutMs: WAIT_MS });

      expect(second.metrics()).toMatchObject({ snapshots: 0, usersDiffering: 1 });
    });

    test("takes a snapshot where it sees other fields besides", async () => {
      const { site, open, converged } = await begin(6);
      const mirror = open();
      await converged();

      site.userFields = ["username"];
      site.restoreBackup(idOf(2), "old@example.com");
      await until(() => mirror.counters.snapshots === 2, WAIT_MS);
      await converged();
    });
  });
}

type Site = MirrorTrial<unknown>["site"];

/** A Mirror that nothing tells of differences but the comparison that is asked for. */
async function beginQuiet<Transaction>(
  begin: (count: number) => Promise<MirrorTrial<Transaction>>,
  count: number,
) {
  const trial = await begin(count);
  trial.site.faults.noSums = true;
  const mirror = trial.open();
  await mirror.waitUntilFilled();
  await trial.converged();
  return {
    ...trial,
    mirror,
    /** Expects that a deep comparison finds and repairs this, and the next one nothing. */
    async reconciled(found: typeof NOTHING_FOUND) {
      expect(await mirror.reconcile({ deep: true })).toMatchObject(found);
      expect(await mirror.reconcile({ deep: true })).toMatchObject(NOTHING_FOUND);
      await trial.converged();
    },
  };
}

/** Plants two Users who are missing, and one each who is stale, extra and altered. */
async function plant<Transaction>({
  site,
  stored,
}: Pick<MirrorTrial<Transaction>, "site" | "stored">): Promise<void> {
  site.putSilently(idOf(101));
  site.putSilently(idOf(102));
  site.putSilently(idOf(1), "new@example.com");
  site.forget(idOf(2));
  await stored.tamper(idOf(3), "mallory@example.com");
}

async function countedBy<Transaction>(storage: MirrorStorage<Transaction>) {
  const { sums } = await storage.readState();
  return sums;
}

async function sumsHeld(site: Site) {
  const userIds = [...site.users().keys()];
  const { users } = await site.client.users.batchGetUsers({ userIds });
  const { count, xor } = sumsOf(users);
  return { count, xor };
}

async function collect(statuses: AsyncIterable<{ type: string }>, into: string[]): Promise<void> {
  for await (const { type } of statuses) into.push(type);
}
