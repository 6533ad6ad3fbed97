import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { deleteMirror, listMirrors } from "../../src/domain/mirrors.ts";
import { lagOf } from "../../src/model/mirror.ts";
import { openTestDatabase, runAsAdmin } from "../support/database.ts";
import { type HealthTrial, openHealthTrial } from "../support/health-trial.ts";

const database = await openTestDatabase();
afterAll(() => database[Symbol.asyncDispose]());
const { db, adminUrl } = database;

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

let trial: HealthTrial;
beforeEach(async () => {
  trial = await openHealthTrial(db);
});

describe("a Mirror", () => {
  test("in step is no problem, and its report is kept as a whole", async () => {
    await trial.fill(3);
    const { head } = await trial.examine();
    const finishTime = new Date();
    const counts = { missingCount: 1, staleCount: 2, extraCount: 3, alteredCount: 0 };
    const lastReconcile = { finishTime, position: 2, ...counts, repairedCount: 6 };
    const sums = { sums: head.sums, checkpointSums: head.sums };

    const reported = await trial.report({ position: 3, ...sums, lastReconcile, software: "x/1" });
    const replaced = await trial.report({ id: reported.id, position: 2, name: "shop 2" });

    expect(reported).toMatchObject({ position: 3, ...sums, lastReconcile, software: "x/1" });
    expect(reported.head).toEqual({ epoch: 1, position: 3 });
    expect(replaced).toMatchObject({ position: 2, name: "shop 2", software: "test" });
    expect(replaced).toMatchObject({ sums: undefined, lastReconcile: undefined });
    expect(replaced.createTime).toEqual(reported.createTime);
    expect(await trial.examine()).toMatchObject({ verdict: "healthy", mirrors: { count: 1 } });
  });

  test("keeps sums whose highest bit is set", async () => {
    const sums = { users: 2, xor: 0xffff_ffff_ffff_fff0n };

    expect((await trial.report({ sums })).sums).toEqual(sums);
  });

  test("lags by the distance to the head now, and by the age of what it lacks first", async () => {
    await trial.fill(1_101);
    const { id } = await trial.report({ position: 100 });
    const now = new Date(Date.now() + MINUTE);

    const health = await trial.examine();
    await trial.fill(5);
    const [mirror] = await listMirrors(trial.deps, trial.siteId, { after: undefined, limit: 10 });
    const lag = mirror && lagOf(mirror, now);

    expect(health.verdict).toBe("degraded");
    expect(health.problems).toMatchObject([
      { kind: "mirror_lagging", subjectId: id, value: 1_001, threshold: 1_000 },
    ]);
    expect(health.mirrors).toMatchObject({ lagging: 1, lagChangesMax: 1_001 });
    expect(lag?.changes).toBe(1_006);
    expect(lag?.ms).toBeGreaterThanOrEqual(MINUTE);
  });

  test("lags by time where it lacks little for long", async () => {
    await trial.fill(2);
    trial.shiftClock(2 * MINUTE);
    await trial.report({ position: 1 });

    const { problems } = await trial.examine();

    expect(problems).toMatchObject([{ kind: "mirror_lagging", threshold: 60_000 }]);
    expect(problems[0]?.value).toBeGreaterThanOrEqual(2 * MINUTE);
  });

  test("falls silent without reports, until the next one", async () => {
    const { id } = await trial.report();
    trial.shiftClock(2 * MINUTE);

    const silent = await trial.examine();
    await trial.report({ id });

    expect(silent).toMatchObject({ verdict: "unhealthy", mirrors: { silent: 1 } });
    const problem = { kind: "mirror_silent", subjectId: id, threshold: 90 };
    expect(silent.problems).toMatchObject([problem]);
    expect(await trial.kinds()).toEqual([]);
  });

  test("diverges by a single User, or by a single version", async () => {
    const checkpointSums = { users: 3, xor: 5n };
    const { id } = await trial.report({ sums: { users: 2, xor: 5n }, checkpointSums });
    const fewer = await trial.examine();
    await trial.report({ id, sums: { users: 3, xor: 4n }, checkpointSums });
    const different = await trial.examine();
    await trial.report({ id, sums: checkpointSums, checkpointSums });

    expect(fewer.problems).toMatchObject([{ kind: "mirror_diverged", value: -1 }]);
    expect(different.problems).toMatchObject([{ kind: "mirror_diverged", value: 0 }]);
    expect(different).toMatchObject({ verdict: "unhealthy", mirrors: { diverged: 1 } });
    expect(await trial.kinds()).toEqual([]);
  });

  test("expires when the Change after its position is no longer kept", async () => {
    await trial.fill(3);
    await runAsAdmin(adminUrl, `delete from signet.changes where site_id = '${trial.siteId}'`);

    const kept = await trial.report({ position: 3 });
    const inStep = await trial.kinds();
    await trial.report({ id: kept.id, position: 2 });

    expect(inStep).toEqual([]);
    expect((await trial.kinds())[0]).toBe("mirror_expired");
    expect(await trial.examine()).toMatchObject({
      verdict: "unhealthy",
      mirrors: { lagChangesMax: 1 },
    });
  });

  test("expires with its epoch, and has no lag in another", async () => {
    await trial.fill(3);
    await trial.report({ epoch: 0, position: 1_000_000 });

    const { problems, mirrors } = await trial.examine();

    expect(problems).toMatchObject([{ kind: "mirror_expired", verdict: "unhealthy" }]);
    expect(mirrors.lagChangesMax).toBe(0);
  });

  test("tells of foreign writes for a week after the last", async () => {
    const { id } = await trial.report({ foreignWrites: 2 });
    const first = await trial.examine();
    trial.shiftClock(6 * DAY);
    await trial.report({ id, foreignWrites: 2 });
    const later = await trial.kinds();
    trial.shiftClock(7.5 * DAY);
    await trial.report({ id, foreignWrites: 2 });
    const forgotten = await trial.kinds();
    await trial.report({ id, foreignWrites: 3 });

    expect(first.problems).toMatchObject([{ kind: "mirror_foreign_writes", value: 2 }]);
    expect([later, forgotten]).toEqual([["mirror_foreign_writes"], []]);
    expect(await trial.kinds()).toEqual(["mirror_foreign_writes"]);
  });

  test("is overdue 8 days after its last comparison", async () => {
    const { id } = await trial.report();
    trial.shiftClock(8 * DAY + MINUTE);
    await trial.report({ id });
    const overdue = await trial.kinds();
    const none = { missingCount: 0, staleCount: 0, extraCount: 0, alteredCount: 0 };
    const finishTime = trial.deps.clock.now();
    await trial.report({
      id,
      lastReconcile: { finishTime, position: 0, ...none, repairedCount: 0 },
    });

    expect(overdue).toEqual(["reconcile_overdue"]);
    expect(await trial.kinds()).toEqual([]);
  });

  test("is forgotten by deletion, and known again by its next report", async () => {
    const { id } = await trial.report();
    await deleteMirror(trial.deps, { kind: "operator" }, trial.siteId, id);
    const again = deleteMirror(trial.deps, { kind: "operator" }, trial.siteId, id);

    await expect(again).rejects.toMatchObject({ reason: "mirror_not_found" });
    expect((await trial.examine()).mirrors.count).toBe(0);
    expect((await trial.report({ id })).id).toBe(id);
  });
});

describe("a report is refused", () => {
  test.each([
    ["position", { position: 4 }],
    ["epoch", { epoch: 2 }],
  ])("whose %s is ahead of the Site's", async (field, given) => {
    await trial.fill(3);

    await expect(trial.report(given)).rejects.toMatchObject({
      reason: "invalid_field",
      metadata: { field },
    });
    expect(await trial.report({ position: 3 })).toMatchObject({ position: 3 });
  });

  test("whose last comparison lies in the future", async () => {
    const none = { missingCount: 0, staleCount: 0, extraCount: 0, alteredCount: 0 };
    const finishTime = new Date(Date.now() + 10 * MINUTE);
    const lastReconcile = { finishTime, position: 0, ...none, repairedCount: 0 };

    await expect(trial.report({ lastReconcile })).rejects.toMatchObject({
      metadata: { field: "last_reconcile.finish_time" },
    });
  });
});
