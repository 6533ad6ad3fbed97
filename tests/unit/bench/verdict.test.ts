import { describe, expect, test } from "vitest";
import { toJsonLine, toTable } from "../../../bench/report.ts";
import type { Figure } from "../../../bench/row.ts";
import { judge } from "../../../bench/verdict.ts";

const rate: Figure = {
  row: "subject: throughput",
  unit: "calls/s",
  samples: [100, 600, 333.33333],
  yardstick: { name: "a bare server", samples: [1_000, 1_000, 999.99999] },
  goal: 0.3,
};

describe("a verdict", () => {
  test("is that of the round whose ratio is in the middle", () => {
    expect(judge(rate)).toMatchObject({
      value: 333.33333,
      yardstick: 999.99999,
      ratio: expect.closeTo(0.33333, 4),
      ratios: { min: 0.1, max: 0.6 },
      met: true,
    });
  });

  test("asks a rate for at least its goal, a time for at most", () => {
    const time: Figure = { ...rate, unit: "ms" };

    expect(judge({ ...rate, goal: 0.4 }).met).toBe(false);
    expect(judge({ ...time, goal: 0.4 }).met).toBe(true);
    expect(judge({ ...time, goal: 0.3 }).met).toBe(false);
  });

  test("says neither met nor missed without a goal", () => {
    const { goal: _, ...aimless } = rate;

    expect(judge(aimless)).toMatchObject({ goal: null, met: null });
  });

  test("fails where no round was measured", () => {
    expect(() => judge({ ...rate, samples: [] })).toThrow("no round was measured");
  });
});

describe("a report", () => {
  test("has one JSON object with exactly these members for each row", () => {
    expect(JSON.parse(toJsonLine(judge(rate)))).toEqual({
      row: "subject: throughput",
      value: 333.3,
      unit: "calls/s",
      yardstick: 1_000,
      ratio: 0.3333,
      goal: 0.3,
      met: true,
    });
  });

  test("has a table in which people see yardstick and spread", () => {
    const [head, rule, line] = toTable([judge(rate)]).split("\n");

    expect(head?.length).toBe(line?.length);
    expect(rule).toMatch(/^\|[ |-]+\|$/);
    expect(line).toMatch(
      /333 calls\/s .* 1,000 calls\/s \(a bare server\) .* 0\.33 \(0\.10–0\.60\)/,
    );
    expect(line).toMatch(/≥ 0\.3 .* yes/);
  });
});
