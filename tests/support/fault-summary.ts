import type { FaultReport } from "./fault-run.ts";
import { FAULT_NAMES, type PlannedFault } from "./fault-scene.ts";

/** Says in one line what a run was like. */
export function describeRun(report: FaultReport): string {
  const { changes, log, called, seconds, lateReturns, read, faults, lost } = report;
  return [
    `${changes} changes (${log.acknowledged()} acknowledged, ${called} by calls)`,
    `${Math.round(seconds)} s, ${Math.round(changes / seconds)} changes a second`,
    `${read.openings} streams and mirrors opened, ${read.repeats} changes repeated to them`,
    `${read.compared} sums compared, ${lateReturns} late refreshes`,
    `${lost.length} lost, ${faults.length} faults`,
  ].join("; ");
}

/** Sums up what struck, what was done meanwhile, and what was lost: the last line of a run. */
export function summarize(
  strikes: readonly PlannedFault[],
  { log, lost, faults }: Pick<FaultReport, "log" | "lost" | "faults">,
): string {
  const counts = FAULT_NAMES.map((name) => ({
    name,
    count: strikes.filter(({ kind }) => kind === name).length,
  }));
  const struck = counts
    .filter(({ count }) => count > 0)
    .map(({ name, count }) => `${count} × ${name}`);
  return [
    `faults: ${struck.join("; ")}`,
    `operations: ${log.operations()}, acknowledged changes: ${log.acknowledged()}`,
    `wrong: ${faults.length}, lost: ${lost.length}`,
  ].join(", ");
}
