import { expect, test } from "vitest";
import { quickPlan } from "../support/fault-plans.ts";
import { runFaults } from "../support/fault-run.ts";
import { possibleFaults } from "../support/fault-scene.ts";
import { describeRun, summarize } from "../support/fault-summary.ts";

/** Some 50 s, and several times that on a machine with more to do than it can. */
const timeout = 400_000;

test("no kind of fault loses a change, doubles one, or forks a Session", { timeout }, async ({
  signal,
  annotate,
}) => {
  const plan = quickPlan(Date.now() % 1_000_000);

  const report = await runFaults(plan, signal);

  await annotate(summarize(plan.strikes, report));
  await annotate(describeRun(report));
  expect(report.lost).toEqual([]);
  expect(report.faults).toEqual([]);
  expect(plan.strikes).toHaveLength(possibleFaults().length);
  expect(report.read.openings).toBeGreaterThan(20);
  expect(report.read.compared).toBeGreaterThan(20);
});
