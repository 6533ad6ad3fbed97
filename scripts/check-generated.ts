import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Generates the code again, elsewhere, and compares it with the committed `gen/`. */
const folder = mkdtempSync(join(tmpdir(), "signet-generated-"));
try {
  execFileSync("buf", ["generate", "--output", folder], { stdio: "inherit" });
  const stale = differences(readTree("gen"), readTree(join(folder, "gen")));
  if (stale.length > 0) {
    console.error(`gen/ is out of date; run \`npm run generate\`:\n  ${stale.join("\n  ")}`);
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}

/** Names each path whose content differs or that only one tree has. */
function differences(
  committed: ReadonlyMap<string, string>,
  generated: ReadonlyMap<string, string>,
): string[] {
  const paths = new Set([...committed.keys(), ...generated.keys()]);
  return [...paths].filter((path) => committed.get(path) !== generated.get(path)).sort();
}

/** Reads every file below a folder, by its path within it. */
function readTree(root: string): Map<string, string> {
  const paths = readdirSync(root, { recursive: true, encoding: "utf8" });
  const files = paths.filter((path) => statSync(join(root, path)).isFile());
  return new Map(files.map((path) => [path, readFileSync(join(root, path), "utf8")]));
}
