import { describe, expect, test } from "vitest";
import { judgeSync } from "../../../src/domain/sync-verdict.ts";
import { type MirrorId, newId, type SiteId } from "../../../src/model/id.ts";
import type { Mirror, Reconcile } from "../../../src/model/mirror.ts";

const NOW = new Date("2026-06-01T12:00:00Z");
const HEAD = {
  epoch: 3,
  position: 5_000,
  sums: { users: 10, xor: 7n },
  oldestPosition: 1_001,
} as const;
const SECOND = 1_000;
const DAY = 86_400 * SECOND;

const ago = (ms: number): Date => new Date(NOW.getTime() - ms);

/** A Mirror that is in step, but for what is given. */
function mirror(given: Partial<Mirror> = {}): Mirror {
  return {
    id: newId<MirrorId>(),
    siteId: newId<SiteId>(),
    name: "shop",
    state: "live",
    epoch: HEAD.epoch,
    position: HEAD.position,
    sums: HEAD.sums,
    checkpointSums: HEAD.sums,
    lastReconcile: undefined,
    foreignWrites: 0,
    foreignWriteTime: undefined,
    software: "test",
    apiKeyId: undefined,
    createTime: ago(DAY),
    reportTime: ago(SECOND),
    reportHead: HEAD.position,
    head: HEAD,
    firstLackedTime: undefined,
    ...given,
  };
}

function reconcile(given: Partial<Reconcile>): Reconcile {
  const none = { missingCount: 0, staleCount: 0, extraCount: 0, alteredCount: 0, repairedCount: 0 };
  return { finishTime: ago(DAY), position: 1, ...none, ...given };
}

function judge(mirrors: readonly Mirror[], sequencingDelayMs = 0) {
  return judgeSync({ head: HEAD, mirrors, webhooks: [], sequencingDelayMs }, NOW);
}

/** Kind, verdict, value and threshold of the one problem of one Mirror; undefined: none. */
function problemOf(given: Partial<Mirror>) {
  const { problems } = judge([mirror(given)]);
  expect(problems.length).toBeLessThanOrEqual(1);
  const [problem] = problems;
  return problem && [problem.kind, problem.verdict, problem.value, problem.threshold];
}

describe("the sync of a Site", () => {
  test("is healthy without Mirrors, and with one in step", () => {
    expect(judge([])).toMatchObject({ verdict: "healthy", problems: [], mirrors: { count: 0 } });
    expect(judge([mirror()])).toMatchObject({ verdict: "healthy", problems: [] });
  });

  test("is late while Changes wait over 5 s for positions, and stuck after a minute", () => {
    const verdicts = [5_000, 5_001, 60_000, 60_001].map((ms) => judge([], ms).verdict);

    expect(verdicts).toEqual(["healthy", "degraded", "degraded", "unhealthy"]);
    expect(judge([], 6_000).problems).toEqual([
      {
        kind: "sequencing_delayed",
        verdict: "degraded",
        subjectId: undefined,
        value: 6_000,
        threshold: 5_000,
      },
    ]);
  });

  test("names the gravest first, decides by it, and names at most 100", () => {
    const late = mirror({ position: 3_000, firstLackedTime: ago(2 * SECOND) });
    const silent = Array.from({ length: 60 }, () => mirror({ reportTime: ago(DAY) }));
    const diverged = Array.from({ length: 60 }, () => mirror({ state: "diverged" }));

    const { verdict, problems, mirrors } = judge([late, ...silent, ...diverged]);

    expect(verdict).toBe("unhealthy");
    expect(problems).toHaveLength(100);
    expect(problems[0]?.kind).toBe("mirror_diverged");
    expect(problems[59]?.kind).toBe("mirror_diverged");
    expect(problems[60]?.kind).toBe("mirror_silent");
    expect(mirrors).toMatchObject({ count: 121, lagging: 1, silent: 60, diverged: 60 });
    expect(mirrors).toMatchObject({ lagChangesMax: 2_000, lagMsMax: 2_000 });
  });

  test("is degraded where what is late comes by itself", () => {
    const { verdict, problems } = judge([mirror({ position: 3_000 }), mirror()]);

    expect(verdict).toBe("degraded");
    expect(problems).toHaveLength(1);
  });
});

describe("a Mirror lags", () => {
  test.each([
    ["from 1,001 Changes on", { position: 3_999, firstLackedTime: ago(SECOND) }, 1_001, 1_000],
    ["from over a minute on", { position: 4_999, firstLackedTime: ago(62_000) }, 61_000, 60_000],
  ])("%s, as it was at its report", (_, given, value, threshold) => {
    expect(problemOf(given)).toEqual(["mirror_lagging", "degraded", value, threshold]);
  });

  test("at the threshold not yet", () => {
    expect(problemOf({ position: 4_000, firstLackedTime: ago(61_000) })).toBeUndefined();
  });

  test("not by what was committed after its report, as long as the next is not overdue", () => {
    const busy = { position: 1_000, reportHead: 1_000, firstLackedTime: ago(20 * SECOND) };

    expect(problemOf({ ...busy, reportTime: ago(60 * SECOND) })).toBeUndefined();
    expect(problemOf({ ...busy, reportTime: ago(61 * SECOND) })?.[2]).toBe(4_000);
  });

  test("beyond an hour for good, unless it is being filled", () => {
    const stuck = { position: 4_999, firstLackedTime: ago(2 * 3_600_000) };

    expect(problemOf(stuck)?.[1]).toBe("unhealthy");
    expect(problemOf({ ...stuck, state: "snapshot" })?.[1]).toBe("degraded");
  });
});

describe("a Mirror", () => {
  test("is silent after three intervals without a report", () => {
    const silent = problemOf({ reportTime: ago(91 * SECOND) });

    expect(problemOf({ reportTime: ago(90 * SECOND) })).toBeUndefined();
    expect(silent).toEqual(["mirror_silent", "unhealthy", 91, 90]);
  });

  test.each([
    ["by one User", { sums: { users: 9, xor: 7n } }, -1],
    ["by one version of one User", { sums: { users: 10, xor: 6n } }, 0],
    ["by its own word", { state: "diverged" as const, sums: undefined }, 0],
    [
      "while it is being repaired",
      { state: "repairing" as const, sums: { users: 12, xor: 1n } },
      2,
    ],
    [
      "by rows that were altered and are not put right",
      { lastReconcile: reconcile({ alteredCount: 2, repairedCount: 1 }) },
      0,
    ],
  ])("has diverged %s", (_, given, drift) => {
    expect(problemOf(given)).toEqual(["mirror_diverged", "unhealthy", drift, 0]);
  });

  test("has not diverged where all that a comparison found is put right", () => {
    const lastReconcile = reconcile({ alteredCount: 2, staleCount: 1, repairedCount: 3 });

    expect(problemOf({ lastReconcile })).toBeUndefined();
  });

  test("has expired in an earlier epoch, and where the next Change is not kept", () => {
    const outdated = { epoch: 2, position: 9_000 };
    const tooOld = { position: 999, reportHead: 999, firstLackedTime: ago(SECOND) };

    expect(problemOf(outdated)).toEqual(["mirror_expired", "unhealthy", 9_000, 0]);
    expect(problemOf(tooOld)?.[0]).toBe("mirror_expired");
    expect(problemOf({ ...tooOld, position: 1_000, reportHead: 1_000 })).toBeUndefined();
    expect(problemOf({ ...tooOld, state: "repairing" })).toBeUndefined();
    expect(problemOf({ epoch: 0, position: 0, state: "snapshot" })).toBeUndefined();
  });

  test("is written to by others, which is told for a week after the last attempt", () => {
    const written = { foreignWrites: 4, foreignWriteTime: ago(7 * DAY) };

    expect(problemOf(written)).toEqual(["mirror_foreign_writes", "unhealthy", 4, 0]);
    expect(problemOf({ ...written, foreignWriteTime: ago(7 * DAY + 1) })).toBeUndefined();
  });

  test("is to be compared every 8 days, the first time counted from its registration", () => {
    const overdue = ["reconcile_overdue", "degraded", 8 * 86_400 + 1, 8 * 86_400];
    const finishTime = ago(8 * DAY + SECOND);

    expect(problemOf({ createTime: finishTime })).toEqual(overdue);
    expect(problemOf({ lastReconcile: reconcile({ finishTime }) })).toEqual(overdue);
    expect(
      problemOf({ createTime: finishTime, lastReconcile: reconcile({ finishTime: ago(8 * DAY) }) }),
    ).toBeUndefined();
  });
});
