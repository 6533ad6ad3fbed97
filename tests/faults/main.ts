import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect, parseArgs } from "node:util";
import { longPlan, quickPlan } from "../support/fault-plans.ts";
import { runFaults } from "../support/fault-run.ts";
import {
  FAULT_NAMES,
  type FaultName,
  type PlannedFault,
  possibleFaults,
} from "../support/fault-scene.ts";
import { describeRun, summarize } from "../support/fault-summary.ts";

/** The program behind `npm run faults`; docs/faults.md describes it. */

const USAGE = `usage: npm run faults -- [--quick] [--seed <number>] [--rounds <number>]
                         [--kind <name>]…
kinds: ${FAULT_NAMES.join(", ")}`;

const beginMs = performance.now();
const ROUNDS = 5;
const ROUNDS_MAX = 1_000;
const SEEDS = 2 ** 31;

process.exit(await main(process.argv.slice(2)));

async function main(words: readonly string[]): Promise<number> {
  const options = parseOptions(words);
  if (!options) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const { quick, seed, rounds, kinds } = options;
  const plan = quick ? quickPlan(seed, kinds) : longPlan(seed, rounds, kinds);
  say(`seed: ${seed} (${plan.strikes.length} faults; replay with --seed ${seed})`);
  const impossible = FAULT_NAMES.filter((name) => !possibleFaults().includes(name));
  for (const name of impossible) say(`left out, since this machine does not allow it: ${name}`);
  const ended = new AbortController();
  process.once("SIGINT", () => ended.abort(new Error("interrupted")));
  process.once("SIGTERM", () => ended.abort(new Error("interrupted")));
  try {
    const report = await runFaults(plan, ended.signal, tell);
    const isSound = report.lost.length === 0 && report.faults.length === 0;
    for (const line of report.lost) say(`lost: ${line}`);
    for (const line of report.faults) say(`wrong: ${line}`);
    if (!isSound) say(`history: ${await keep(report.log)}`);
    say(describeRun(report));
    say(summarize(plan.strikes, report));
    return isSound ? 0 : 1;
  } catch (error) {
    process.stderr.write(`the run has failed (seed ${seed}): ${inspect(error)}\n`);
    return 1;
  }
}

function parseOptions(words: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        quick: { type: "boolean", default: false },
        seed: { type: "string", default: String(Math.floor(Math.random() * SEEDS)) },
        rounds: { type: "string", default: String(ROUNDS) },
        kind: { type: "string", multiple: true },
      },
    });
    const [seed, rounds] = [Number(values.seed), Number(values.rounds)];
    const kinds = values.kind?.flatMap((kind) => FAULT_NAMES.filter((name) => name === kind));
    const isRight =
      isWithin(seed, 0, SEEDS) &&
      isWithin(rounds, 1, ROUNDS_MAX) &&
      kinds?.length === values.kind?.length;
    return isRight ? { quick: values.quick, seed, rounds, kinds } : undefined;
  } catch {
    return undefined;
  }
}

function isWithin(number: number, min: number, max: number): boolean {
  return Number.isSafeInteger(number) && number >= min && number <= max;
}

function tell({ kind, process: n, holdMs, stepSeconds }: PlannedFault): void {
  const seconds = ((performance.now() - beginMs) / 1_000).toFixed(1);
  const step = kind === ("clock stepped" satisfies FaultName) ? `, by ${stepSeconds} s` : "";
  say(`${seconds} s: ${kind} (process ${n}, ${holdMs} ms${step})`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Keeps what each client did and was told, for whoever looks for the cause. */
async function keep(log: { save(path: string): Promise<void> }): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), "signet-faults-")), "history.jsonl");
  await log.save(path);
  return path;
}
