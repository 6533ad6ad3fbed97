import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { buildConsole } from "./built-console.ts";
import { type ImageRecipe, readImageRecipe } from "./deployment.ts";
import { openTestFolder } from "./postgres.ts";
import { type ProgramResult, type RunningProgram, runProgram, startProgram } from "./programs.ts";

type Variables = Readonly<Record<string, string>>;

/** What the image consists of, in a folder, and its commands run as the image's user would. */
export interface ImageCopy extends AsyncDisposable {
  readonly recipe: ImageRecipe;
  /** Runs a command to its end, in the environment of the image and these variables. */
  run(command: readonly string[], variables?: Variables): Promise<ProgramResult>;
  /** Starts a command that does not end by itself. */
  start(command: readonly string[], variables?: Variables): RunningProgram;
  /** Lists all files, but for those of the dependencies. */
  files(): Promise<readonly string[]>;
}

/** Of nobody, who owns no file. */
const ACCOUNT = "65534";

/** Lets a Node read, and do all that takes no writing to a file. */
const READ_ONLY = [
  "--permission",
  "--allow-fs-read=*",
  ...["--allow-addons", "--allow-worker", "--allow-child-process", "--allow-net"],
].join(" ");

/**
 * Copies exactly the files that the Dockerfile puts into the image, without Docker.
 *
 * Its commands run with an account that owns nothing, where the test may choose one, and in a Node
 * that may not write anywhere.
 */
export async function openImageCopy(): Promise<ImageCopy> {
  const recipe = readImageRecipe();
  const folder = await openTestFolder();
  const home = join(folder, "signet");
  await buildConsole();
  for (const path of [...recipe.copied, ...Object.keys(recipe.built)]) {
    if (path !== "node_modules") await copyInto(home, path);
  }
  for (const path of await productionPackages()) await copyInto(home, path);
  await copyAs(process.execPath, join(folder, "bin", "node"));
  const as = process.getuid?.() === 0 ? [`--reuid=${ACCOUNT}`, `--regid=${ACCOUNT}`] : [];
  const toWords = (command: readonly string[]): string[] => [
    ...(as.length > 0 ? [...as, "--clear-groups", "env"] : []),
    ...["--chdir", home],
    ...command,
  ];
  const program = as.length > 0 ? "setpriv" : "env";
  const toEnvironment = (variables: Variables = {}): Variables => ({
    ...recipe.env,
    NODE_OPTIONS: READ_ONLY,
    HOME: "/",
    PATH: `${join(folder, "bin")}:/usr/local/bin:/usr/bin:/bin`,
    ...variables,
  });
  return {
    recipe,
    run: (command, variables) => runProgram(program, toWords(command), toEnvironment(variables)),
    start: (command, variables) =>
      startProgram(program, toWords(command), toEnvironment(variables)),
    files: async () =>
      (await readdir(home, { recursive: true }))
        .filter((name) => !name.startsWith("node_modules"))
        .toSorted(),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

/** What `npm ci --omit=dev --omit=optional` leaves, by the lock file. */
async function productionPackages(): Promise<string[]> {
  const { packages } = JSON.parse(await readFile("package-lock.json", "utf8")) as {
    readonly packages: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
  const paths = Object.entries(packages)
    .filter(([path, { dev, optional, devOptional }]) => {
      return path !== "" && !dev && !optional && !devOptional;
    })
    .map(([path]) => path);
  // A package within another comes with that.
  return paths.filter((path) => !paths.some((outer) => path.startsWith(`${outer}/node_modules/`)));
}

function copyInto(home: string, path: string): Promise<void> {
  return copyAs(path, join(home, path));
}

async function copyAs(source: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  execFileSync("cp", ["--recursive", "--reflink=auto", source, target]);
}
