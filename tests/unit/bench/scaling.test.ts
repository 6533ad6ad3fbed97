import { describe, expect, test } from "vitest";
import { addPoints } from "../../../bench/scaling.ts";
import { drawPanels } from "../../../bench/scaling-chart.ts";

const RUN = {
  machine: "a machine",
  userCount: 1_000_000,
  findings: [
    { row: "users: look-up by address", ratio: 1.0512 },
    { row: "users: look-up by username", ratio: 9 },
    { row: "sync: fan-out to 10,000 streams", ratio: 1.19 },
    { row: "processes: throughput of 2", ratio: 1.9 },
    { row: "processes: processor time of a call with 2", ratio: 9 },
  ],
};

describe("the points of the chart", () => {
  test("are those of rows that were measured at a size, with where they begin", () => {
    const measured = addPoints({}, RUN);

    expect(measured.users?.points).toEqual([
      { size: 10_000, ratio: 1 },
      { size: 1_000_000, ratio: 1.05 },
    ]);
    expect(measured.streams?.points).toEqual([{ size: 10_000, ratio: 1.19 }]);
    expect(measured.processes?.points).toEqual([
      { size: 1, ratio: 1 },
      { size: 2, ratio: 1.9 },
    ]);
  });

  test("of other sizes stay, and those of the same size are replaced", () => {
    const before = addPoints({}, RUN);
    const findings = [{ row: "sync: fan-out to 1,000 streams", ratio: 0.8 }];
    const again = [{ row: "sync: fan-out to 10,000 streams", ratio: 1 }];

    const after = addPoints(addPoints(before, { ...RUN, findings }), { ...RUN, findings: again });

    expect(after.streams?.points).toEqual([
      { size: 1_000, ratio: 0.8 },
      { size: 10_000, ratio: 1 },
    ]);
    expect(after.users).toEqual(before.users);
  });
});

describe("the chart", () => {
  test("has each panel's points in order, and nothing that is not a number", () => {
    const points = [
      { size: 1_000, ratio: 0.5 },
      { size: 10_000, ratio: 2 },
    ];
    const panel = { title: "a < b", axis: "streams", points, goal: () => 0.7 };

    const svg = drawPanels([panel, { ...panel, points: [] }]);
    const centres = [...svg.matchAll(/<circle class="point" cx="(\d+)" cy="(\d+)"/g)];

    expect(centres).toHaveLength(2);
    expect(Number(centres[0]?.[1])).toBeLessThan(Number(centres[1]?.[1]));
    expect(Number(centres[0]?.[2])).toBeGreaterThan(Number(centres[1]?.[2]));
    expect(svg).toContain("a &lt; b");
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });
});
