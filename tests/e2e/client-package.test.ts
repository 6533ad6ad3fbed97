import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const run = promisify(execFile);

/** What an app gets by `npm install`: the client and nothing of the server. */
const DEPENDENCIES = [
  "@bufbuild/protobuf",
  "@connectrpc/connect",
  "@connectrpc/connect-node",
  "jose",
];

const APP = `
import { createSignetClient } from "signet-client";
const client = createSignetClient({ url: "http://127.0.0.1:1", key: "sgn_site_none" });
console.log(typeof client);
`;

/** What `npm pack` tells of a package. */
interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

let app = "";
let client: Packed;

beforeAll(async () => {
  app = await mkdtemp(join(tmpdir(), "signet-app-"));
  const built = join(app, "built");
  await run("node", ["scripts/build-client.ts", built]);
  const here = DEPENDENCIES.map((name) => resolve("node_modules", name));
  const [packed, ...others] = await pack([built, ...here]);
  if (!packed) throw new Error("npm has packed nothing");
  client = packed;
  await rm(built, { recursive: true });
  await writeFile(join(app, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const tarballs = [client, ...others].map(({ filename }) => `./${filename}`);
  // No registry is asked: a package that is not among these could not be installed.
  const quiet = ["--offline", "--no-audit", "--no-fund", "--cache", join(app, "cache")];
  await run("npm", ["install", ...quiet, ...tarballs], { cwd: app });
}, 120_000);

afterAll(() => rm(app, { recursive: true, force: true }));

describe("the published client", () => {
  test("installs no package of the server", async () => {
    const names = await installedPackages(join(app, "node_modules"));

    expect(names.toSorted()).toEqual([...DEPENDENCIES, "signet-client"].toSorted());
    const { dependencies } = await readManifest();
    expect(Object.keys(dependencies)).toEqual(DEPENDENCIES);
  });

  test("has all that its manifest names, and nothing but what is compiled", async () => {
    const manifest = await readManifest();
    const paths = client.files.map(({ path }) => path);

    expect(manifest).toMatchObject({ license: "MIT", type: "module", sideEffects: false });
    expect(Object.keys(manifest.exports)).toEqual(["."]);
    // A resolver takes the first condition that it knows, so that types must come first.
    expect(Object.keys(manifest.exports["."] ?? {})).toEqual(["types", "default"]);
    for (const target of Object.values(manifest.exports["."] ?? {})) {
      expect(paths).toContain(target.replace(/^\.\//, ""));
    }
    expect(paths).toEqual(expect.arrayContaining(["LICENSE", "README.md", "package.json"]));
    const others = paths.filter((path) => !/^(src\/client|gen)\/.+\.(js|d\.ts)$/.test(path));
    expect(others.toSorted()).toEqual(["LICENSE", "README.md", "package.json"]);
    const own = JSON.parse(await readFile("package.json", "utf8")) as Manifest;
    expect(manifest.version).toBe(own.version);
  });

  test("runs in an app that has nothing else", async () => {
    await writeFile(join(app, "app.js"), APP);

    const { stdout } = await run("node", ["app.js"], { cwd: app });

    expect(stdout).toBe("object\n");
  });

  test.each([
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ])("is typed for an app that checks all strictly, by --module %s and %s", async (...how) => {
    await writeFile(join(app, "app.ts"), APP);
    await writeFile(join(app, "wrong.ts"), APP.replace("url:", "uri:"));

    const errors = await typeErrors(["app.ts", "wrong.ts"], how);

    expect(errors).toEqual([expect.stringMatching(/^wrong\.ts.*'uri'/)]);
  });
});

/** Packs folders as they would be published, without running their scripts. */
async function pack(folders: readonly string[]): Promise<Packed[]> {
  const options = ["--json", "--ignore-scripts", "--pack-destination", app];
  const { stdout } = await run("npm", ["pack", ...options, ...folders]);
  return JSON.parse(stdout) as Packed[];
}

async function readManifest(): Promise<Manifest> {
  const path = join(app, "node_modules/signet-client/package.json");
  return JSON.parse(await readFile(path, "utf8")) as Manifest;
}

/**
 * Checks files of the app, and all declarations that they lead to, with this repository's compiler;
 * the app has none of its own.
 */
async function typeErrors(
  files: readonly string[],
  [module = "", resolution = ""]: readonly string[],
): Promise<string[]> {
  const options = ["--strict", "--noEmit", "--target", "es2024", "--module", module];
  const types = ["--types", "node", "--typeRoots", resolve("node_modules/@types")];
  const words = [...options, "--moduleResolution", resolution, ...types, ...files];
  const checked = run("tsc", words, { cwd: app });
  const { stdout } = await checked.catch((error: { readonly stdout: string }) => error);
  return stdout.split("\n").filter(Boolean);
}

/** Lists the packages of a node_modules folder, those of a scope by their full names. */
async function installedPackages(folder: string): Promise<string[]> {
  const entries = (await readdir(folder)).filter((entry) => !entry.startsWith("."));
  const names = entries.map(async (entry) => {
    if (!entry.startsWith("@")) return [entry];
    return (await readdir(join(folder, entry))).map((name) => `${entry}/${name}`);
  });
  return (await Promise.all(names)).flat();
}
