import { globSync, readFileSync, writeFileSync } from "node:fs";
import { ReleaseError } from "./options.ts";

/** A file with the version in it, before and after. */
export interface VersionedFile {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

/** Where the version stands besides the changelog; the client takes it from package.json. */
const PATTERNS: readonly (readonly [glob: string, place: RegExp, count: number])[] = [
  ["package.json", /(?<=^ {2}"version": ")[^"]+/m, 1],
  ["package-lock.json", /(?<=^ {2}(?: {4})?"version": ")[^"]+/gm, 2],
  ["src/client/version.ts", /(?<=VERSION = ")[^"]+/, 1],
  ["examples/kubernetes/*.yaml", /(?<=\/signet:|newTag: )\d[\w.-]*/g, 0],
];

/** Reads the version that the tree has. */
export function readVersion(): string {
  return (JSON.parse(readFileSync("package.json", "utf8")) as { readonly version: string }).version;
}

/** Puts a version, and the day of the release, in its places. @throws {ReleaseError} */
export function planVersion(version: string, day: string): VersionedFile[] {
  const files = PATTERNS.flatMap(([glob, place, count]) => {
    return globSync(glob).map((path) => {
      const before = readFileSync(path, "utf8");
      const found = [...before.matchAll(new RegExp(place, "gm"))].slice(0, count || undefined);
      if (found.length < count) throw new ReleaseError(`${path} does not say its version`);
      return { path, before, after: replaceAll(before, found, version) };
    });
  });
  const before = readFileSync("CHANGELOG.md", "utf8");
  const changelog = { path: "CHANGELOG.md", before, after: dateChangelog(before, version, day) };
  return [...files.filter((file) => file.before !== file.after), changelog];
}

/** Writes the files as they were, or as they are to be. */
export function writeFiles(files: readonly VersionedFile[], state: "before" | "after"): void {
  for (const file of files) writeFileSync(file.path, file[state]);
}

function replaceAll(text: string, found: readonly RegExpExecArray[], version: string): string {
  return found.reduceRight(
    (rest, { index, 0: old }) => rest.slice(0, index) + version + rest.slice(index + old.length),
    text,
  );
}

/** The heading at the top says `unreleased`, and gets version and day instead. */
function dateChangelog(text: string, version: string, day: string): string {
  const [, heading = "", section = ""] =
    /^(## [^\n]*)\n(.*?)(?=^## |(?![\s\S]))/ms.exec(text) ?? [];
  if (!/unreleased$/i.test(heading)) {
    throw new ReleaseError(
      'CHANGELOG.md has no section at its top whose heading says "unreleased"',
    );
  }
  if (section.trim() === "") throw new ReleaseError(`CHANGELOG.md says nothing below "${heading}"`);
  return text.replace(heading, `## ${version}, ${day}`);
}
