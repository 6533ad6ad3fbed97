import { expect, test } from "vitest";
import { describeRun, runFaults } from "../support/fault-run.ts";

const PLAN = {
  changes: 4_000,
  writers: 14,
  bulkWriters: 2,
  users: 100,
  processes: 2,
  readers: { grpc: 2, connect: 2, polls: 1, memoryMirrors: 1, postgresMirrors: 2 },
  readerProcesses: 2,
  framesMax: 40,
  serviceKills: 3,
  postgresKills: 1,
} as const;

/** Some 20 s, and several times that on a machine with more to do than it can. */
const timeout = 300_000;

test("loses and doubles no change when service and PostgreSQL die amid writes", {
  timeout,
}, async ({ signal, annotate }) => {
  const report = await runFaults(PLAN, signal);

  await annotate(describeRun(PLAN, report));
  expect(report.faults).toEqual([]);
  expect(report.confirmed).toBeGreaterThanOrEqual(PLAN.changes);
  expect(report.openings).toBeGreaterThan(50);
  expect(report.compared).toBeGreaterThan(50);
});
