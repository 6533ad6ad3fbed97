import { startBenchService } from "./bench-service.ts";
import { type BenchOptions, isWanted, parseOptions, USAGE } from "./options.ts";
import { describeMachine, toJsonLine, toTable } from "./report.ts";
import { ROWS } from "./rows.ts";
import { drawScaling } from "./scaling.ts";
import { soak } from "./soak.ts";
import { type Finding, judge } from "./verdict.ts";

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

process.exit(await main());

/** Runs the bench; a goal that is not met is a finding, not a failure. Returns the exit code. */
async function main(): Promise<number> {
  const interrupted = interruption();
  try {
    const options = parseOptions(process.argv.slice(2));
    const { soak: size, json } = options;
    if (size) {
      await using resources = new AsyncDisposableStack();
      const soaked = soak(size, json, resources, process.env).then(() => 0);
      return await Promise.race([soaked, interrupted]);
    }
    const rows = ROWS.flatMap(({ names }) => names.filter((name) => isWanted(options, name)));
    if (rows.length === 0) throw new TypeError(`no row has such a name (${USAGE})`);
    await using resources = new AsyncDisposableStack();
    return await Promise.race([measureAll(options, resources), interrupted]);
  } catch (error) {
    // What is cleared away while it is made or used fails, and that is no failure of the bench.
    const exitCode = await Promise.race([interrupted, Promise.resolve()]);
    if (exitCode !== undefined) return exitCode;
    console.error(`The bench has failed: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
}

async function measureAll(options: BenchOptions, resources: AsyncDisposableStack): Promise<number> {
  const machine = describeMachine(new Date());
  console.error(
    `${machine}\nrounds: ${options.rounds}, each with ${options.roundMs} ms for each contender`,
  );
  const service = await startBenchService(resources, process.env);
  const findings: Finding[] = [];
  for (const { names, measure } of ROWS) {
    if (!names.some((name) => isWanted(options, name))) continue;
    console.error(`measuring ${names.join("; ")}`);
    await using own = new AsyncDisposableStack();
    resources.use(own); // An interruption clears away what is in use now.
    const { rounds, roundMs, userCount } = options;
    const figures = await measure({
      service,
      environment: process.env,
      rounds,
      roundMs,
      userCount,
      resources: own,
    });
    const found = figures.filter(({ row }) => isWanted(options, row)).map(judge);
    if (options.json) for (const finding of found) console.log(toJsonLine(finding));
    findings.push(...found);
  }
  const { chart, userCount } = options;
  if (chart) await drawScaling(chart, { machine, userCount, findings });
  if (!options.json) console.log(`\n${machine}\n\n${toTable(findings)}`);
  return 0;
}

/** Resolves with the exit code of the first signal; later ones wait until all is cleared away. */
function interruption(): Promise<number> {
  return new Promise((resolve) => {
    for (const [signal, exitCode] of Object.entries(SIGNALS)) {
      process.on(signal, () => {
        console.error("\nInterrupted: clearing away.");
        resolve(exitCode);
      });
    }
  });
}
