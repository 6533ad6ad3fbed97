import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runProgram, runSignet } from "../support/programs.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

let running: SiteOnService;
let home: string;

beforeAll(async () => {
  running = await openSiteOnService();
});

afterAll(() => running[Symbol.asyncDispose]());

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "signet-profiles-"));
  return () => rm(home, { recursive: true });
});

const file = () => join(home, ".config", "signet", "profiles.json");

function signet(words: readonly string[], env = {}, reply?: boolean | string, input?: string) {
  return runSignet(words, { HOME: home, ...env }, reply, input);
}

/** Keeps the Site's own key by a name. */
async function add(name: string, url = running.service.url, key = running.site.key) {
  const added = await signet(["profile", "add", name, "--url", url], {}, undefined, `${key}\n`);
  expect(added).toMatchObject({ exitCode: 0 });
  return added;
}

describe("signet profile", () => {
  test("keeps a key that a command then takes, and shows it to nobody", async () => {
    const added = await add("blog");

    const own = await signet(["site", "get", "--json"]);
    const listed = await signet(["profile", "list"]);

    expect(JSON.parse(own.stdout).site.id).toBe(running.site.siteId);
    expect(listed.stdout).toMatch(/^blog \* +http:\/\/127\.0\.0\.1:\d+ +site$/m);
    expect(added.stdout + added.stderr + listed.stdout).not.toContain(running.site.key);
    expect((await stat(file())).mode & 0o777).toBe(0o600);
  });

  test("asks a person for the key", async () => {
    const words = ["profile", "add", "blog", "--url", running.service.url, "--json"];

    const { exitCode, stdout } = await signet(words, {}, running.site.key);

    const facts = { name: "blog", url: running.service.url, key: "site", current: true };
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ profiles: [facts] });
  });

  test("warns of an address where the key could be read on the way", async () => {
    const open = await add("open", "http://id.example.com");
    const local = await add("local", "http://localhost:5678");
    const safe = await add("safe", "https://id.example.com");

    const warnings = [open, local, safe].map(({ stderr }) => stderr.includes("is not https://"));
    expect(warnings).toEqual([true, false, false]);
  });

  test("is chosen by flag, by variable, or as the current one, in this order", async () => {
    await add("nowhere", "http://127.0.0.1:1");
    await add("here");
    const get = ["site", "get"];

    const byCurrent = await signet(get);
    const byVariable = await signet(get, { SIGNET_PROFILE: "here" });
    const byFlag = await signet(["--profile", "here", ...get], { SIGNET_PROFILE: "nowhere" });
    const afterwards = await signet([...get, "--profile", "here"]);
    await signet(["profile", "use", "here"]);
    const afterUse = await signet(get);

    expect(byCurrent).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("no Signet answers at http://127.0.0.1:1"),
    });
    const exitCodes = [byVariable, byFlag, afterwards, afterUse].map(({ exitCode }) => exitCode);
    expect(exitCodes).toEqual([0, 0, 0, 0]);
  });

  test("is never mixed with variables: a key does not get to the Signet of another", async () => {
    await add("blog");

    const keyAlone = await signet(["site", "get"], { SIGNET_KEY: running.site.key });
    const urlAlone = await signet(["site", "get"], { SIGNET_URL: running.service.url });
    const flag = await signet(["site", "get", "--profile", "blog"], { SIGNET_KEY: "sgn_site_x" });

    // It has gone to the default address, and not to that of the profile.
    expect(keyAlone).toMatchObject({ exitCode: 1, stdout: "" });
    expect(urlAlone).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/SIGNET_KEY is not set/),
    });
    expect(flag).toMatchObject({ exitCode: 0 });
  });

  test("is removed, and then is none", async () => {
    await add("blog");

    const declined = await signet(["profile", "remove", "blog"], {}, false);
    const removed = await signet(["profile", "remove", "blog", "--yes"]);
    const get = await signet(["site", "get", "--profile", "blog"]);

    expect(declined.exitCode).toBe(2);
    expect(removed).toMatchObject({ exitCode: 0, stdout: "There are no profiles.\n" });
    expect(get).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/there is no profile blog; there are: none/),
    });
    expect(await readFile(file(), "utf8")).not.toContain(running.site.key);
  });

  test.each([
    ["a name that is none", ["profile", "add", "../x"], "<name> must be"],
    ["an address that is none", ["profile", "add", "x", "--url", "ftp://x"], "--url must be"],
    ["a key that is none", ["profile", "add", "x"], "that is no key"],
    ["a profile that is not there", ["profile", "use", "constructor"], "there is no profile"],
  ])("refuses %s", async (_, words, problem) => {
    const { exitCode, stderr } = await signet(words, {}, undefined, "secret\n");

    expect(exitCode).toBe(2);
    expect(stderr).toContain(problem);
    expect(stderr).not.toContain("secret");
  });
});

describe("the file of profiles", () => {
  test.each([
    ["the group may read", 0o640],
    ["everybody may read", 0o604],
    ["others may write", 0o602],
  ])("is refused where %s it, with what to do", async (_, mode) => {
    await add("blog");
    await chmod(file(), mode);

    const { exitCode, stdout, stderr } = await signet(["site", "get"]);

    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain(`run chmod 600 ${file()}`);
  });

  test("is checked where a link leads to", async () => {
    await add("blog");
    const target = join(home, "elsewhere.json");
    await writeFile(target, await readFile(file(), "utf8"), { mode: 0o644 });
    await rm(file());
    await symlink(target, file());

    expect(await signet(["site", "get"])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/chmod 600/),
    });
  });

  test.each([
    ["no JSON", "{"],
    ["another shape", '{"profiles": {"blog": {"url": "http://127.0.0.1"}}}'],
    ["a list", "[]"],
  ])("is refused where it holds %s", async (_, text) => {
    await add("blog");
    await writeFile(file(), text);

    const { exitCode, stderr } = await signet(["site", "get"]);

    expect(exitCode).toBe(2);
    expect(stderr).toContain("is no file of profiles");
  });

  test("does not matter to commands that need none", async () => {
    await add("blog");
    await chmod(file(), 0o644);

    const completion = await signet(["completion", "bash"]);
    const variables = { SIGNET_URL: running.service.url, SIGNET_KEY: running.site.key };
    const bySite = await signet(["site", "get"], variables);

    expect([completion.exitCode, bySite.exitCode]).toEqual([0, 0]);
  });
});

test("the program reads a key from another one, through a pipe", async () => {
  const { url } = running.service;
  const script = `printf '%s\\n' "$KEY" | node src/cli/main.ts profile add blog --url ${url} &&
    node src/cli/main.ts site get --json`;

  const { exitCode, stdout, stderr } = await runProgram("bash", ["-c", script], {
    PATH: `${process.cwd()}/node_modules/.bin:${process.env.PATH}`,
    HOME: home,
    KEY: running.site.key,
  });

  expect({ exitCode, stderr }).toMatchObject({
    exitCode: 0,
    stderr: expect.stringMatching(/is kept in/),
  });
  expect(stdout).toContain(running.site.siteId);
  expect(stdout + stderr).not.toContain(running.site.key);
});
