import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What CI checks: an npm script, and the sentence that holds when it succeeds. */
interface Step {
  readonly sentence: string;
  readonly script: string;
}

/** How many tests or steps passed and failed. */
interface Count {
  readonly passed: number;
  readonly failed: number;
}

/** They read the tree and do not disturb each other, so they run at the same time. */
const STATIC_STEPS: readonly Step[] = [
  { sentence: "generated code is current", script: "check:generated" },
  { sentence: "protos pass lint", script: "check:protos" },
  { sentence: "imports go downward", script: "check:imports" },
  { sentence: "nothing is dead", script: "check:dead" },
  { sentence: "types hold", script: "check:types" },
  { sentence: "code is formatted and passes lint", script: "check:format" },
  { sentence: "promises are awaited", script: "check:promises" },
  { sentence: "the client builds", script: "build:client" },
  { sentence: "the console builds", script: "build:console" },
];

const DEMO: Step = { sentence: "the demo plays to its end", script: "demo" };

const counts = await Promise.all(STATIC_STEPS.map(runStep));
counts.push(await runStep(DEMO));
counts.push(await runTests());

const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const failed = counts.reduce((sum, count) => sum + count.failed, 0);
process.exitCode = failed === 0 ? 0 : 1;
console.log(`${passed} passed, ${failed} failed`);

/** Runs one step quietly; its output is shown only if it fails. */
async function runStep({ sentence, script }: Step): Promise<Count> {
  const start = performance.now();
  const { succeeded, output } = await runScript(script, []);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${succeeded ? "ok    " : "FAILED"} ${sentence} (npm run ${script}, ${seconds} s)`);
  if (!succeeded) console.log(output);
  return succeeded ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** Runs every test with its output as it comes, and counts them from vitest's own report. */
async function runTests(): Promise<Count> {
  const folder = await mkdtemp(join(tmpdir(), "signet-check-"));
  const report = join(folder, "tests.json");
  try {
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const { succeeded } = await runScript("test", reporters, "inherit");
    console.log(`${succeeded ? "ok    " : "FAILED"} tests pass (npm test)`);
    return countTests(await readFile(report, "utf8").catch(() => "{}"), succeeded);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A run that failed outside a test, such as in a hook, still counts as one failure. */
function countTests(report: string, succeeded: boolean): Count {
  const { numPassedTests = 0, numFailedTests = 0 } = JSON.parse(report) as {
    readonly numPassedTests?: number;
    readonly numFailedTests?: number;
  };
  return { passed: numPassedTests, failed: Math.max(numFailedTests, succeeded ? 0 : 1) };
}

/** Runs an npm script with further arguments, and collects what it prints unless inherited. */
function runScript(script: string, options: readonly string[], stdio: "pipe" | "inherit" = "pipe") {
  const child = spawn("npm", ["run", "--silent", script, "--", ...options], {
    stdio: ["ignore", stdio, stdio],
  });
  const chunks: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise<{ readonly succeeded: boolean; readonly output: string }>(
    (resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => {
        resolve({ succeeded: code === 0, output: Buffer.concat(chunks).toString() });
      });
    },
  );
}
