import { expect, test } from "vitest";
import { describeRun, type FaultPlan, runFaults } from "../support/fault-run.ts";

const CHANGES = Number(process.env.SIGNET_FAULTS_CHANGES ?? 50_000);
/** Where a slow machine would take too long, the writers stop after this time. */
const MINUTES_MAX = Number(process.env.SIGNET_FAULTS_MINUTES ?? Number.POSITIVE_INFINITY);
const MS_MAX = 3 * 60 * 60_000;

const FIFTY = {
  grpc: 22,
  connect: 14,
  polls: 6,
  memoryMirrors: 4,
  postgresMirrors: 4,
};

const PLANS: readonly (FaultPlan & { readonly name: string })[] = [
  {
    name: "10 kills of the service and 5 of PostgreSQL, with 50 readers",
    changes: CHANGES,
    minutesMax: MINUTES_MAX,
    writers: 8,
    bulkWriters: 8,
    users: 2_000,
    processes: 2,
    readers: FIFTY,
    readerProcesses: 3,
    framesMax: 1_000,
    serviceKills: 10,
    postgresKills: 5,
  },
  {
    name: "50 kills of the service",
    changes: CHANGES / 5,
    minutesMax: MINUTES_MAX,
    writers: 16,
    bulkWriters: 0,
    users: 100,
    processes: 2,
    readers: { grpc: 2, connect: 2, polls: 1, memoryMirrors: 2, postgresMirrors: 2 },
    readerProcesses: 2,
    framesMax: 40,
    serviceKills: 50,
    postgresKills: 0,
  },
];

test.for(PLANS)(
  "nothing is lost or doubled by $name",
  { timeout: MS_MAX },
  async (plan, { signal, annotate }) => {
    const report = await runFaults(plan, signal);

    await annotate(describeRun(plan, report));
    expect(report.faults).toEqual([]);
    expect(report.confirmed).toBeGreaterThanOrEqual(MINUTES_MAX < Infinity ? 1 : plan.changes);
  },
);
