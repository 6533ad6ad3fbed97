import { readFileSync } from "node:fs";
import * as bcrypt from "bcrypt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AppDatabase, openAppDatabase } from "../support/app-database.ts";
import { signUp, unique, uniqueEmail } from "../support/builders.ts";
import { openGuide } from "../support/guide.ts";
import { runProgram } from "../support/programs.ts";
import { pathWithSignet } from "../support/signet-command.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

const PASSWORD = "four quiet otters swim";
const TABLE = "dashboard.admin_users";

const text = readFileSync("docs/guides/link.md", "utf8");
const blocksOf = (language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map(
    ([, block = ""]) => block,
  );

let home: SiteOnService;
let app: AppDatabase;
let environment: Readonly<Record<string, string>>;
const email = uniqueEmail();

beforeAll(async () => {
  [home, app] = await Promise.all([openSiteOnService(), openAppDatabase()]);
  environment = {
    PATH: await pathWithSignet(),
    SIGNET_URL: home.service.url,
    SIGNET_KEY: home.site.key,
    APP_DATABASE_URL: app.url,
    DATABASE_URL: app.url,
  };
  await app.pool.query("create schema dashboard");
  await app.pool.query(blocksOf("sql")[0] ?? "");
  const hash = await bcrypt.hash(PASSWORD, 4);
  await app.pool.query(`insert into ${TABLE} (email, password_hash) values ($1, $2)`, [
    email.toUpperCase(),
    hash,
  ]);
});

afterAll(async () => {
  await Promise.all([home, app].map((each) => each[Symbol.asyncDispose]()));
});

async function signIn(address: string, password: string, ...words: readonly string[]) {
  const given = ["examples/link-users.ts", address, password, ...words];
  const { stdout, stderr } = await runProgram(process.execPath, given, environment);
  if (stdout === "") throw new Error(`no answer: ${stderr}`);
  return JSON.parse(stdout) as { readonly next: string; readonly outcome: string };
}

describe("docs/guides/link.md", () => {
  test("works in its order, and its users sign in with the passwords they have", async () => {
    const guide = openGuide("link", environment);
    const newcomer = await signUp(home.site.backend);

    const plan = await guide.runNext();
    const applied = await guide.runNext();
    const verified = await guide.runNext();
    const known = await signIn(email, PASSWORD);
    const stranger = await signIn(newcomer.email, newcomer.password);
    const joined = await signIn(newcomer.email, newcomer.password, "--join");
    const again = await signIn(newcomer.email, newcomer.password);
    await app.pool.query(`delete from ${TABLE} where email = $1`, [newcomer.email]);
    const undone = await guide.runNext();

    expect(plan).toMatchObject({ created: 1, unlinked: 1, problems: {} });
    expect(applied).toMatchObject({ created: 1, matched: 0 });
    expect(verified).toMatchObject({ linked: 1, dangling: 0, mismatched: 0 });
    expect(known).toEqual({ next: "welcome", outcome: "already_linked" });
    expect(stranger).toEqual({ next: "ask an administrator", outcome: "no_row" });
    expect(joined).toEqual({ next: "welcome", outcome: "no_row" });
    expect(again).toEqual({ next: "welcome", outcome: "already_linked" });
    expect(undone).toMatchObject({ unlinked: 1, columnDropped: true });
    expect(guide.left()).toBe(0);
  });

  test("names the rights that are enough", async () => {
    const role = unique("linker").replace("-", "_");
    await app.pool.query(`create role ${role} login password 'of-the-linker'`);
    const guide = openGuide("link", environment);
    const { statements } = await guide.runNext();
    for (const statement of statements as readonly string[]) {
      if (!statement.includes("if not exists")) await app.pool.query(statement);
    }
    await app.pool.query((blocksOf("sql")[1] ?? "").replaceAll("linker", role));
    const url = new URL(app.url);
    url.username = role;
    url.password = "of-the-linker";
    const asLinker = openGuide("link", { ...environment, APP_DATABASE_URL: url.href });

    const answers = [];
    for (let n = 0; n < 4; n++) answers.push(await asLinker.runNext());

    expect(answers).toMatchObject([
      { matched: 1 },
      { matched: 1 },
      { linked: 1 },
      { unlinked: 1, columnDropped: false },
    ]);
  });

  test("shows code of examples/link-users.ts", () => {
    const example = readFileSync("examples/link-users.ts", "utf8");

    const blocks = blocksOf("ts").flatMap((block) => block.split("\n\n"));

    expect(blocks).toHaveLength(3);
    expect(blocks.filter((block) => !example.includes(block.trimEnd()))).toEqual([]);
  });

  test("explains each option, problem, fault and outcome that there is", async () => {
    const { stdout } = await runProgram("signet", ["link", "apply", "--help"], environment);
    const options = [...stdout.matchAll(/^ +(--[a-z-]+)/gm)].map(([, name]) => name ?? "");
    const { LINK_PROBLEMS } = await import("../../src/cli/link-problem.ts");

    const named = [...options, ...Object.keys(LINK_PROBLEMS)];

    expect(named.length).toBeGreaterThan(20);
    const known = new Set(["--to", "--site", "--json", "--dry-run", "--help", "--profile"]);
    expect(named.filter((name) => !known.has(name) && !text.includes(name))).toEqual([]);
  });
});
