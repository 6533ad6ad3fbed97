import { execFileSync } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { runProgram } from "./programs.ts";

/** A repository of its own with what a release needs, and a place that it is pushed to. */
export interface ReleaseClone extends AsyncDisposable {
  readonly folder: string;
  /** Calls the release, in words as a person would. */
  release(words: readonly string[], more?: Readonly<Record<string, string>>): ReturnType<Run>;
  git(...words: readonly string[]): string;
  read(path: string): Promise<string>;
  write(path: string, text: string): Promise<void>;
  /** What docker was called with, a line for each call. */
  dockerCalls(): Promise<string[]>;
}

type Run = typeof runProgram;

const NEEDED = [
  ...["package.json", "package-lock.json", "CHANGELOG.md", "LICENSE", ".gitignore", ".npmrc"],
  ...["tsconfig.json", "tsconfig.client.json", "scripts", "gen", "src/client"],
  "examples/kubernetes",
];

/** A stand-in for a program that is not on every machine: it only notes what it was told. */
const DOCKER = `#!/bin/sh
[ "$1" = --version ] && exit 0
echo "$@" >> "$DOCKER_LOG"
exit "\${DOCKER_STATUS:-0}"
`;

/** Makes the clone of the working tree as it is, committed, with a bare repository as origin. */
export async function openReleaseClone(): Promise<ReleaseClone> {
  const place = await mkdtemp(join(tmpdir(), "signet-release-"));
  const [folder, origin, bin] = ["clone", "origin.git", "bin"].map((name) => join(place, name)) as [
    string,
    string,
    string,
  ];
  const dockerLog = join(place, "docker.log");
  const environment = {
    HOME: place,
    DOCKER_LOG: dockerLog,
    PATH: `${bin}:${process.env.PATH}`,
    GIT_AUTHOR_NAME: "Ada",
    GIT_AUTHOR_EMAIL: "ada@example.com",
    GIT_CONFIG_GLOBAL: "",
    GIT_COMMITTER_NAME: "Ada",
    GIT_COMMITTER_EMAIL: "ada@example.com",
  };
  const git = (...words: readonly string[]) =>
    execFileSync("git", words, { cwd: folder, env: environment, encoding: "utf8" }).trim();
  const write = (path: string, text: string) => writeFile(join(folder, path), text);
  await mkdir(bin);
  await writeFile(join(bin, "docker"), DOCKER);
  await chmod(join(bin, "docker"), 0o755);
  await writeFile(dockerLog, "");
  for (const path of NEEDED) await cp(path, join(folder, path), { recursive: true });
  await symlink(resolve("node_modules"), join(folder, "node_modules"));
  git("init", "--quiet", "--initial-branch", "main");
  await write(".git/info/exclude", "node_modules\n");
  git("init", "--quiet", "--bare", origin);
  git("remote", "add", "origin", origin);
  return {
    folder,
    git,
    write,
    read: (path) => readFile(join(folder, path), "utf8"),
    release: (words, more = {}) =>
      runProgram("sh", ["-c", `cd ${folder} && exec node scripts/release.ts "$@"`, "-", ...words], {
        ...environment,
        ...more,
      }),
    dockerCalls: async () => (await readFile(dockerLog, "utf8")).split("\n").filter(Boolean),
    [Symbol.asyncDispose]: () => rm(place, { recursive: true, force: true }),
  };
}
