import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { stringify } from "yaml";
import { type ProgramResult, runProgram } from "./programs.ts";

/** What a rule is tried on: series by their text, one value a minute, and the alert they cause. */
export interface RuleTrial {
  readonly alert: string;
  /** In the notation of promtool, such as `0+1x20`. */
  readonly series: Readonly<Record<string, string>>;
  readonly minutes: number;
  /** The labels by which the alert says what it is about; absent: there is none. */
  readonly labels: Readonly<Record<string, string>> | undefined;
}

/** Tells whether promtool of Prometheus is installed. */
export async function hasPromtool(): Promise<boolean> {
  return (await runProgram("promtool", ["--version"])).exitCode === 0;
}

/** Has promtool evaluate the rules of a file over series. */
export async function tryRules(file: string, trials: readonly RuleTrial[]): Promise<ProgramResult> {
  const folder = await mkdtemp(join(tmpdir(), "signet-rules-"));
  try {
    const path = join(folder, "trials.yml");
    const tests = trials.map(toTest);
    await writeFile(path, stringify({ rule_files: [resolve(file)], tests }));
    return await runProgram("promtool", ["test", "rules", path]);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The words of an alert are none of a trial's business, so alerts are looked at as series. */
function toTest({ alert, series, minutes, labels }: RuleTrial) {
  const input = Object.entries(series).map(([name, values]) => ({ series: name, values }));
  const by = ["alertname", ...Object.keys(labels ?? {})].join(", ");
  const firing = `ALERTS{alertname="${alert}", alertstate="firing"}`;
  const expected = labels && { labels: labelText({ alertname: alert, ...labels }), value: 1 };
  return {
    interval: "1m",
    input_series: input,
    promql_expr_test: [
      {
        expr: `count by (${by}) (${firing})`,
        eval_time: `${minutes}m`,
        exp_samples: expected ? [expected] : [],
      },
    ],
  };
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return `{${pairs.join(", ")}}`;
}
