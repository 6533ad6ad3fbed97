import { spawnSync } from "node:child_process";
import { currentBranch, requireReleasable } from "./release/git.ts";
import { parseReleaseOptions, ReleaseError, type ReleaseOptions } from "./release/options.ts";
import { commandLineOf, planRelease, type ReleasePlan, type Step } from "./release/plan.ts";
import {
  planVersion,
  readVersion,
  type VersionedFile,
  writeFiles,
} from "./release/versioned-files.ts";

/** Makes a release: `npm run release -- 0.2.0`; docs/releasing.md says how. */
process.exitCode = main(process.argv.slice(2));

function main(words: readonly string[]): number {
  try {
    release(parseReleaseOptions(words));
    return 0;
  } catch (error) {
    if (!(error instanceof ReleaseError)) throw error;
    console.error(`No release: ${error.message}`);
    return 1;
  }
}

function release(options: ReleaseOptions): void {
  const { version, image, push, dryRun } = options;
  const tag = `v${version}`;
  requireReleasable(version, tag, readVersion());
  const files = planVersion(version, new Date().toISOString().slice(0, 10));
  const hasDocker = image !== undefined && isInstalled("docker");
  if (image && !hasDocker) {
    if (push) throw new ReleaseError("there is no docker here to build and push the image by");
    console.log("There is no docker here: the image is left out.");
  }
  const plan = planRelease(options, { tag, branch: currentBranch(), hasDocker }, files);
  if (dryRun) printPlan(options, files, plan);
  else {
    make(files, plan);
    if (push) plan.publications.forEach(run);
    else printRest(tag, plan);
  }
}

function printRest(tag: string, { publications }: ReleasePlan): void {
  console.log(`\n${tag} is made, and nothing has left this machine. To publish it:\n`);
  for (const step of publications) console.log(`  ${commandLineOf(step)}`);
}

function printPlan(
  { push }: ReleaseOptions,
  files: readonly VersionedFile[],
  { builds, marks, publications }: ReleasePlan,
): void {
  console.log("Nothing is done. A release would write the version to:\n");
  for (const { path } of files) console.log(`  ${path}`);
  console.log("\nand run:\n");
  for (const step of [...builds, ...marks]) console.log(`  ${commandLineOf(step)}`);
  console.log(push ? "\nand then publish:\n" : "\nand leave to you:\n");
  for (const step of publications) console.log(`  ${commandLineOf(step)}`);
}

/** What cannot be built is not marked, and leaves the tree as it was. */
function make(files: readonly VersionedFile[], { builds, marks }: ReleasePlan): void {
  writeFiles(files, "after");
  try {
    builds.forEach(run);
  } catch (error) {
    writeFiles(files, "before");
    throw error;
  }
  marks.forEach(run);
}

function run(step: Step): void {
  console.log(`\n# ${step.purpose}\n$ ${commandLineOf(step)}`);
  const [program, ...rest] = step.words;
  const { status, error } = spawnSync(program, rest, { stdio: "inherit" });
  if (status === 0) return;
  throw new ReleaseError(`${commandLineOf(step)} failed${error ? `: ${error.message}` : ""}`);
}

function isInstalled(program: string): boolean {
  return spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0;
}
