import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type AppDatabase, openAppDatabase } from "../support/app-database.ts";
import { openSite, type TestSite, unique, uniqueEmail } from "../support/builders.ts";
import { askLink, type LinkApp, openLinkApp } from "../support/link-app.ts";
import { openTestFolder } from "../support/postgres.ts";
import { runSignet, startSignet } from "../support/programs.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

const WAIT_MS_MAX = 40_000;

let home: SiteOnService;
let database: AppDatabase;
let site: TestSite;

beforeAll(async () => {
  home = await openSiteOnService();
});

afterAll(() => home[Symbol.asyncDispose]());

beforeEach(async () => {
  const { url, operatorKey } = home.service;
  site = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
  database = await openAppDatabase();
  return () => database[Symbol.asyncDispose]();
});

function environment() {
  return { SIGNET_URL: home.service.url, SIGNET_KEY: site.key };
}

function openApp(url = database.url): Promise<LinkApp> {
  return openLinkApp({ url, environment: environment() });
}

describe("a mirror in the same database", () => {
  const toMirror = () => ["--to", database.url, "--no-revocations", "--tombstones", "delete"];

  test("is what the column refers to, and no row is linked before its User is there", async () => {
    await using app = await openApp();
    const users = Array.from({ length: 300 }, (_, n) => ({ id: `${n}`, email: uniqueEmail() }));
    await app.add(...users);
    const mirror = startSignet(["sync", "mirror", ...toMirror()], environment());
    try {
      await mirror.output.waitFor(/^users: live$/m, "Users were live");

      const applied = await askLink(app, "apply", "--batch", "100");
      const links = await app.links();
      const [first = ""] = [...links.values()];
      await site.backend.users.deleteUser({ userId: first ?? "" });
      await until(async () => !(await database.users()).has(first ?? ""), WAIT_MS_MAX);

      expect(applied).toMatchObject({ exitCode: 0, answer: { created: 300 } });
      expect(await foreignKeysOf(app)).toEqual([{ refers_to: "signet_users", validated: true }]);
      expect([...(await app.links()).values()].filter((link) => link === null)).toHaveLength(1);
      await askLink(app, "rollback", "--yes");
      expect(await foreignKeysOf(app)).toEqual([]);
    } finally {
      await mirror.stop();
    }
  });

  test("is left out if that is wanted, and refused if it is of another Site", async () => {
    await using app = await openApp();
    const { url, operatorKey } = home.service;
    const other = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
    const env = { SIGNET_URL: url, SIGNET_KEY: other.key };
    await other.backend.users.createUser({ email: uniqueEmail() });
    await runSignet(["sync", "mirror", ...toMirror(), "--once"], env);

    const refused = await askLink(app, "apply");
    const without = await askLink(app, "apply", "--no-foreign-key");
    const missing = await askLink(app, "apply", "--mirror", "public.nothing");

    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(other.siteId) });
    expect(without).toMatchObject({ exitCode: 0 });
    expect(missing).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("no mirror") });
    expect(await foreignKeysOf(app)).toEqual([]);
  });
});

describe("rights", () => {
  test("to own the table are not needed where its owner has run what plan shows", async () => {
    await using app = await openApp();
    await app.add({ id: "1", email: uniqueEmail() });
    const { role, url } = await makeRole(app);
    await using linker = await openSameApp(app, url);

    const refused = await linker.link("apply");
    const { answer } = await askLink(app, "plan");
    for (const statement of answer.statements as readonly string[]) {
      await app.pool.query(statement);
    }
    await app.pool.query(`
      grant select, update (auth_user_id) on ${app.table} to ${role};
      grant select, insert, update on ${app.table}_link_log to ${role};
      grant select, insert, update on ${app.table}_link_log_runs to ${role}`);
    const applied = await askLink(linker, "apply");
    const verified = await askLink(linker, "verify", "--complete");
    const undone = await askLink(linker, "rollback", "--yes");

    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain("permission denied");
    expect(applied).toMatchObject({ exitCode: 0, answer: { created: 1 } });
    expect(verified).toMatchObject({ exitCode: 0 });
    expect(undone).toMatchObject({ exitCode: 0, answer: { unlinked: 1, columnDropped: false } });
  });

  test("to read every row are: row-level security hides none of them unnoticed", async () => {
    await using app = await openApp();
    await app.add({ id: "1", email: uniqueEmail() });
    const { role, url } = await makeRole(app);
    await app.pool.query(`grant select on ${app.table} to ${role};
      alter table ${app.table} enable row level security`);
    await using linker = await openSameApp(app, url);

    const refused = await linker.link("plan");

    expect(refused).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("row-level security"),
    });
  });
});

describe("a table in use", () => {
  test("is waited for, and others read it meanwhile", async () => {
    await using app = await openApp();
    await app.add({ id: "1", email: uniqueEmail() });
    const reader = await app.pool.connect();
    await reader.query(`begin; select count(*) from ${app.table}`);

    const applying = askLink(app, "apply");
    await until(async () => {
      const { rows } = await app.pool.query(`select from pg_locks
        where relation = '${app.table}'::regclass and mode = 'AccessExclusiveLock'
          and not granted`);
      return rows.length > 0;
    }, WAIT_MS_MAX);
    // It stands behind the statement that waits, until that gives way.
    const { rows } = await app.pool.query(`select count(*)::integer as count from ${app.table}`);
    await reader.query("commit");
    reader.release();

    expect(rows).toEqual([{ count: 1 }]);
    expect(await applying).toMatchObject({ exitCode: 0, answer: { created: 1 } });
  });

  test("is linked by one command at a time", async () => {
    await using app = await openApp();
    const client = await app.pool.connect();
    const name = `"dashboard"."admin_users"`;
    await client.query("select pg_advisory_lock(hashtextextended($1, 3))", [name]);

    const refused = await app.link("apply");
    client.release(true);

    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("being linked") });
  });

  test("gets its index anew where a command was killed while it was built", async () => {
    await using app = await openApp();
    const { pool, table } = app;
    await pool.query(`alter table ${table} add column auth_user_id uuid`);
    const same = crypto.randomUUID();
    await app.add({ id: "1" }, { id: "2" });
    await pool.query(`update ${table} set auth_user_id = $1`, [same]);

    const refused = await app.link("apply");
    const left = await indexesOn(app);
    await pool.query(`update ${table} set auth_user_id = null`);
    const applied = await app.link("apply");

    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("unique index") });
    expect(left).toEqual([]);
    expect(applied.exitCode).toBe(3);
    expect(await indexesOn(app)).toEqual([{ valid: true }]);
  });
});

describe("what cannot be linked is refused before anything is done:", () => {
  test.each([
    ["no such table", "--table", "dashboard.nothing", "no table"],
    ["a table that is none", "--table", "a.b.c", "is no table"],
    ["no such column", "--email-column", "mail", "has no column mail"],
    ["ids that are not unique", "--id-column", "plan", "unique index"],
    ["a link that is no uuid", "--link-column", "plan", "must be of type uuid"],
    ["a view", "--table", "dashboard.people", "no plain table"],
    ["a mapping that is missing", "--mapping", "/nowhere/link.json", "cannot be read"],
  ])("%s", async (_, option, value, message) => {
    await using app = await openApp();
    await app.pool.query(`create view dashboard.people as select * from ${app.table}`);

    const refused = await app.link("apply", option, value);

    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(message) });
    const { rows } = await app.pool.query(`select to_regclass('${app.table}_link_log') as log`);
    expect(rows).toEqual([{ log: null }]);
  });
});

describe("a mapping in a file", () => {
  test("says what options would, and options go first", async () => {
    const name = `"Shop"."User Accounts"`;
    await database.pool.query(`create schema "Shop";
      create table ${name} ("userId" uuid primary key default gen_random_uuid(), "eMail" text,
        active boolean, "Password" bytea)`);
    const email = uniqueEmail();
    await database.pool.query(`insert into ${name} ("eMail", active) values ($1, true)`, [email]);
    const mapping = {
      table: name,
      idColumn: "userId",
      emailColumn: "eMail",
      activeColumn: "active",
      hashColumn: "Password",
      linkColumn: "accountId",
      externalIdPrefix: "blog:",
    };

    const given = ["--external-id-prefix", "shop:"];
    const applied = await runWithMapping("apply", mapping, ...given);
    const unknown = await runWithMapping("apply", { ...mapping, color: "red" });
    const { rows } = await database.pool.query<{ id: string; link: string }>(
      `select "userId" as id, "accountId" as link from ${name}`,
    );
    const { user } = await site.backend.users.getUser({ userId: rows[0]?.link ?? "" });

    expect(applied).toMatchObject({ exitCode: 0 });
    expect(user).toMatchObject({ email, externalId: `shop:${rows[0]?.id}` });
    expect(unknown).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('"color"') });
  });
});

async function runWithMapping(command: string, mapping: object, ...words: readonly string[]) {
  const path = join(await openTestFolder(), "link.json");
  await writeFile(path, JSON.stringify(mapping));
  const given = ["--to", database.url, "--mapping", path, ...words];
  return await runSignet(["link", command, ...given], environment());
}

/** Makes a role that may log in and see the schema, and nothing else. */
async function makeRole({
  pool,
}: LinkApp): Promise<{ readonly role: string; readonly url: string }> {
  const role = unique("linker").replace("-", "_");
  await pool.query(`create role ${role} login password 'of-the-linker';
    grant usage on schema dashboard to ${role}`);
  const url = new URL(database.url);
  url.username = role;
  url.password = "of-the-linker";
  return { role, url: url.href };
}

/** The app's table as it is, by another role. */
async function openSameApp(app: LinkApp, url: string): Promise<LinkApp> {
  const words = (command: string, given: readonly string[]) => {
    const columns = ["plan", "apply"].includes(command)
      ? ["--verified-column", "confirmed_at"]
      : [];
    return ["link", command, "--to", url, "--table", app.table, ...columns, ...given];
  };
  return {
    ...app,
    link: (command, ...given) => runSignet(words(command, given), environment()),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function foreignKeysOf({ pool, table }: LinkApp): Promise<unknown[]> {
  const { rows } = await pool.query(
    `select confrelid::regclass::text as refers_to, convalidated as validated
       from pg_constraint where conrelid = $1::regclass and contype = 'f'`,
    [table],
  );
  return rows;
}

/** The indexes on the column alone, valid or not. */
async function indexesOn({ pool, table }: LinkApp): Promise<unknown[]> {
  const { rows } = await pool.query(
    `select indisvalid as valid from pg_index where indrelid = $1::regclass and not indisprimary`,
    [table],
  );
  return rows;
}
