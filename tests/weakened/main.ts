import { join } from "node:path";
import { parseArgs } from "node:util";
import { runBounded } from "./bounded-run.ts";
import { makeWeakenedCopy } from "./weakened-copy.ts";
import type { Weakening } from "./weakening.ts";
import { WEAKENINGS } from "./weakenings.ts";

/** The program behind `npm run weakened`; docs/faults.md describes it. */

const USAGE = "usage: npm run weakened -- [--list] [--only <part of a name>]…\n";
const MINUTES_MAX = 10;
const SEED = "4711";

process.exit(await main(process.argv.slice(2)));

async function main(words: readonly string[]): Promise<number> {
  const options = parseOptions(words);
  const chosen = WEAKENINGS.filter(({ name }) =>
    options?.only?.some((part) => name.includes(part)),
  );
  const weakenings = options?.only ? chosen : WEAKENINGS;
  if (!options || weakenings.length === 0) {
    process.stderr.write(USAGE);
    return 2;
  }
  if (options.list) {
    for (const { name, noticedBy } of weakenings) say(`${name}: ${wordsOf(noticedBy).join(" ")}`);
    return 0;
  }
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(name, () => interrupted.abort());
  const unnoticed: string[] = [];
  for (const weakening of weakenings) {
    const problem = await tryOut(weakening, interrupted.signal);
    if (interrupted.signal.aborted) return 1;
    say(`${problem ?? "noticed"}: ${weakening.name}`);
    if (problem !== undefined) unnoticed.push(weakening.name);
  }
  say(`weakened builds: ${weakenings.length}, unnoticed: ${unnoticed.length}`);
  return unnoticed.length === 0 ? 0 : 1;
}

function parseOptions(words: readonly string[]) {
  try {
    const options = {
      list: { type: "boolean", default: false },
      only: { type: "string", multiple: true },
    } as const;
    return parseArgs({ args: [...words], options }).values;
  } catch {
    return undefined;
  }
}

/** Returns what is wrong with the test; undefined: it has noticed. */
async function tryOut(
  { edits, noticedBy, says }: Weakening,
  signal: AbortSignal,
): Promise<string | undefined> {
  await using copy = await makeWeakenedCopy(edits);
  const options = { cwd: copy.folder, msMax: MINUTES_MAX * 60_000, signal };
  const { exitCode, cut, output } = await runBounded(wordsOf(noticedBy), options);
  if (exitCode === 0 && !cut) return "NOT NOTICED";
  if (says.test(output) && !cut) return undefined;
  process.stderr.write(output);
  // A test notices within the time that it is given: what it says when it is cut does not count.
  return cut ? `NOT ENDED within ${MINUTES_MAX} minutes` : `FAILED without saying ${says}`;
}

function wordsOf(noticedBy: Weakening["noticedBy"]): string[] {
  if ("fault" in noticedBy) {
    const rounds = String(noticedBy.rounds ?? 1);
    const plan = ["--kind", noticedBy.fault, "--rounds", rounds, "--seed", SEED];
    return ["tests/faults/main.ts", ...plan];
  }
  const { test, named } = noticedBy;
  const [project = ""] = test.split("/");
  const filter = named === undefined ? [] : ["-t", named];
  const vitest = join("node_modules", "vitest", "vitest.mjs");
  return [vitest, "run", "--project", project, join("tests", test), ...filter];
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
