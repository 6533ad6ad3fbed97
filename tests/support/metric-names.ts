import { readFileSync } from "node:fs";

/** A metric as a guide's table has it. */
export interface DocumentedMetric {
  readonly name: string;
  readonly type: string;
}

const NAME = /\bsignet_[a-z0-9_]*[a-z0-9]/g;

/** The metrics, or series of them, that a file names. */
export function metricNamesIn(file: string): ReadonlySet<string> {
  return new Set(readFileSync(file, "utf8").match(NAME) ?? []);
}

/** The rows of the tables of metrics in a guide. */
export function documentedMetrics(file: string): readonly DocumentedMetric[] {
  const rows = readFileSync(file, "utf8").matchAll(/^\| `(signet_\w+)` \| (\w+) \|/gm);
  return [...rows].map(([, name = "", type = ""]) => ({ name, type }));
}
