import type { ReconcileReport } from "../client/index.ts";
import { CheckFailed } from "./context.ts";
import { layOutFields } from "./layout.ts";

/** @throws {CheckFailed} where the Mirror still differs from its Site. */
export function requireEqual({ missing, stale, extra, altered, repaired }: ReconcileReport): void {
  const left = missing + stale + extra + altered - repaired;
  if (left > 0) throw new CheckFailed(`${left} Users differ`, 1);
}

/** Lays out what a comparison has found. */
export function layOutReport(report: ReconcileReport): string {
  const { position, missing, stale, extra, altered, repaired, messages, bytes } = report;
  return layOutFields([
    ["Position", `${position}`],
    ["Missing", `${missing}`],
    ["Stale", `${stale}`],
    ["Extra", `${extra}`],
    ["Altered", report.deep ? `${altered}` : `${altered} (seen by version; --deep reads the rows)`],
    ["Repaired", `${repaired}`],
    ["Exchanged", `${messages} messages, ${bytes} bytes`],
  ]);
}

/** Writes it for programs; numbers of 64 bits are strings. */
export function toReportJson(report: ReconcileReport): string {
  return JSON.stringify(
    report,
    (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value),
    2,
  );
}
