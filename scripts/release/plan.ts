import { isPrerelease, type ReleaseOptions } from "./options.ts";
import type { VersionedFile } from "./versioned-files.ts";

/** A command of a release. */
export interface Step {
  /** What it is for. */
  readonly purpose: string;
  readonly words: readonly [program: string, ...rest: string[]];
}

/** What a release does, in its order. */
export interface ReleasePlan {
  /** Nothing is committed before all of these have succeeded. */
  readonly builds: readonly Step[];
  readonly marks: readonly Step[];
  /** What leaves this machine. */
  readonly publications: readonly Step[];
}

/** Where the builds are. */
const OUTPUT = "dist";

/** Plans a release. Without `hasDocker` no image is built. */
export function planRelease(
  { version, registry, image }: ReleaseOptions,
  { tag, branch, hasDocker }: { tag: string; branch: string; hasDocker: boolean },
  files: readonly VersionedFile[],
): ReleasePlan {
  // With the dot it is a file: without, npm takes it for a repository's name.
  const tarball = `./${OUTPUT}/signet-client-${version}.tgz`;
  const bill = `${OUTPUT}/signet-${version}.cdx.json`;
  const tagged = image && hasDocker ? `${image}:${version}` : undefined;
  const paths = files.map(({ path }) => path);
  // A candidate must not be what `npm install signet-client` gets.
  const channel = isPrerelease(version) ? ["--tag", "next"] : [];
  return {
    builds: [
      step("build the client", "npm", "run", "build:client"),
      step("pack it", "npm", "pack", `./${OUTPUT}/client`, "--pack-destination", OUTPUT),
      step("list what it is made of", "node", "scripts/build-sbom.ts", bill),
      step("build the console", "npm", "run", "build:console"),
      ...(tagged ? [step("build the image", "docker", ...imageWords(version, tagged))] : []),
    ],
    marks: [
      step("stage the version", "git", "add", "--", ...paths),
      step("commit the version", "git", "commit", "--message", `Release ${version}`),
      step("tag it", "git", "tag", "--annotate", tag, "--message", `Signet ${version}`),
    ],
    publications: [
      step("push commit and tag", "git", "push", "--atomic", "origin", branch, tag),
      ...(registry
        ? [
            step(
              "publish the client",
              "npm",
              "publish",
              tarball,
              "--registry",
              registry,
              ...channel,
            ),
          ]
        : []),
      ...(tagged ? [step("push the image", "docker", "push", tagged)] : []),
    ],
  };
}

/** Writes a command as a shell takes it. */
export function commandLineOf({ words }: Step): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}

function imageWords(version: string, tagged: string): string[] {
  const label = `org.opencontainers.image.version=${version}`;
  return ["build", "--label", label, "--tag", tagged, "."];
}

function step(purpose: string, program: string, ...rest: string[]): Step {
  return { purpose, words: [program, ...rest] };
}
