import { expect, test } from "vitest";
import { planKills } from "../support/fault-plans.ts";
import { type FaultPlan, runFaults } from "../support/fault-run.ts";
import { describeRun, summarize } from "../support/fault-summary.ts";

const CHANGES = Number(process.env.SIGNET_FAULTS_CHANGES ?? 50_000);
/** Where a slow machine would take too long, the writers stop after this time. */
const MINUTES_MAX = Number(process.env.SIGNET_FAULTS_MINUTES ?? Number.POSITIVE_INFINITY);
const CALL_MS_MAX = 15_000;
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
    refreshers: 10,
    callMsMax: CALL_MS_MAX,
    strikes: planKills(10, 5),
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
    refreshers: 10,
    callMsMax: CALL_MS_MAX,
    strikes: planKills(50, 0),
  },
  {
    name: "20 kills of the service and 20 of PostgreSQL",
    changes: CHANGES / 5,
    minutesMax: MINUTES_MAX,
    writers: 16,
    bulkWriters: 0,
    users: 200,
    processes: 2,
    readers: { grpc: 2, connect: 2, polls: 1, memoryMirrors: 2, postgresMirrors: 2 },
    readerProcesses: 2,
    framesMax: 100,
    refreshers: 20,
    callMsMax: CALL_MS_MAX,
    strikes: planKills(20, 20),
  },
];

test.for(PLANS)(
  "nothing is lost or doubled by $name",
  { timeout: MS_MAX },
  async (plan, { signal, annotate }) => {
    const report = await runFaults(plan, signal);

    await annotate(describeRun(report));
    await annotate(summarize(plan.strikes, report));
    expect(report.lost).toEqual([]);
    expect(report.faults).toEqual([]);
    expect(report.log.acknowledged()).toBeGreaterThanOrEqual(
      MINUTES_MAX < Infinity ? 1 : plan.changes,
    );
  },
);
