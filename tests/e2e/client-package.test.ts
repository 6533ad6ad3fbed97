import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const run = promisify(execFile);

/** What an app gets by `npm install`: the client and nothing of the server. */
const ALLOWED = /^(signet-client|jose|@connectrpc\/connect(-node)?|@bufbuild\/protobuf)$/;

const APP = `
import { createSignetClient } from "signet-client";
const client = createSignetClient({ url: "http://127.0.0.1:1", key: "sgn_site_none" });
console.log(typeof client);
`;

let app = "";

beforeAll(async () => {
  app = await mkdtemp(join(tmpdir(), "signet-app-"));
  const built = join(app, "built");
  await run("node", ["scripts/build-client.ts", built]);
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", app], {
    cwd: built,
  });
  const [{ filename }] = JSON.parse(stdout) as [{ readonly filename: string }];
  await rm(built, { recursive: true });
  await writeFile(join(app, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", `./${filename}`], {
    cwd: app,
  });
}, 120_000);

afterAll(() => rm(app, { recursive: true, force: true }));

describe("the published client", () => {
  test("installs no package of the server", async () => {
    const names = await installedPackages(join(app, "node_modules"));

    expect(names).toContain("signet-client");
    expect(names.filter((name) => !ALLOWED.test(name))).toEqual([]);
  });

  test("runs in an app that has nothing else", async () => {
    await writeFile(join(app, "app.js"), APP);

    const { stdout } = await run("node", ["app.js"], { cwd: app });

    expect(stdout).toBe("object\n");
  });

  test("is typed for an app that checks strictly", async () => {
    await writeFile(join(app, "app.ts"), APP);
    await writeFile(join(app, "wrong.ts"), APP.replace("url:", "uri:"));

    const right = await typeErrors("app.ts");
    const wrong = await typeErrors("wrong.ts");

    expect(right).toBe("");
    expect(wrong).toMatch(/wrong\.ts.*'uri'/);
  });
});

/** Checks one file of the app with this repository's compiler; the app has none of its own. */
async function typeErrors(file: string): Promise<string> {
  const typeRoots = resolve("node_modules/@types");
  const options = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2024"];
  const paths = ["--skipLibCheck", "--types", "node", "--typeRoots", typeRoots, file];
  const checked = run("tsc", [...options, ...paths], { cwd: app });
  const { stdout } = await checked.catch((error: { readonly stdout: string }) => error);
  return stdout;
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
