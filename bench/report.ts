import { availableParallelism, cpus, totalmem } from "node:os";
import type { Finding, Verdict } from "./verdict.ts";

const HEAD = ["row", "Signet", "yardstick", "ratio (spread)", "goal", "met"];
const GIBIBYTE = 2 ** 30;
const DIGITS = 4;

/** Writes a finding as one line of JSON, with numbers of four significant digits. */
export function toJsonLine(finding: Finding): string {
  const { row, value, unit, yardstick, ratio, goal, met } = finding;
  const verdict: Verdict = {
    row,
    value: rounded(value),
    unit,
    yardstick: rounded(yardstick),
    ratio: rounded(ratio),
    goal,
    met,
  };
  return JSON.stringify(verdict);
}

/** Writes findings as a table that Markdown and terminals show alike. */
export function toTable(findings: readonly Finding[]): string {
  const cells = [HEAD, ...findings.map(toCells)];
  const widths = HEAD.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const [head, ...rows] = cells.map((row) => toLine(row, widths, " "));
  const rule = toLine(
    widths.map((width) => "-".repeat(width)),
    widths,
    " ",
  );
  return [head, rule, ...rows].join("\n");
}

/** Says what the figures were measured on, and when. */
export function describeMachine(now: Date): string {
  const model = cpus()[0]?.model.trim() || "unknown processor";
  const memory = Math.round(totalmem() / GIBIBYTE);
  const machine = `${model}, ${availableParallelism()} cores, ${memory} GiB, ${process.platform}`;
  return `${machine}, Node ${process.versions.node}, ${now.toISOString().slice(0, 10)}`;
}

function toCells(finding: Finding): string[] {
  const { row, value, unit, yardstick, yardstickName, ratio, ratios } = finding;
  return [
    row,
    `${readable(value)} ${unit}`,
    `${readable(yardstick)} ${unit} (${yardstickName})`,
    `${ratio.toFixed(2)} (${ratios.min.toFixed(2)}–${ratios.max.toFixed(2)})`,
    finding.goal === null ? "" : `${finding.higherIsBetter ? "≥" : "≤"} ${finding.goal}`,
    finding.met === null ? "" : finding.met ? "yes" : "no",
  ];
}

function toLine(cells: readonly string[], widths: readonly number[], fill: string): string {
  return `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0, fill)).join(" | ")} |`;
}

/** Rates in whole calls, times to the hundredth of a millisecond. */
function readable(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: value >= 100 ? 0 : 2 });
}

function rounded(value: number): number {
  return Number(value.toPrecision(DIGITS));
}
