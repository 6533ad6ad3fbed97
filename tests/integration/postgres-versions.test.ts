import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Logger, runOnce } from "graphile-worker";
import { afterAll, describe, expect, test } from "vitest";
import { createDatabase } from "../../src/store/database.ts";
import { MIGRATIONS_FOLDER, migrate, SchemaNewerError } from "../../src/store/migrate.ts";
import { ensureDatabase, prepareRoles, withDatabase } from "../../src/store/roles.ts";
import { sql } from "../../src/store/sql.ts";
import { checkDatabase } from "../../src/store/startup-check.ts";
import { runAsAdmin } from "../support/database.ts";
import { silentLog, startTestPostgres } from "../support/postgres.ts";
import { rejection } from "../support/waiting.ts";

const log = silentLog;
const migrateProgram = fileURLToPath(new URL("../support/migrate-program.ts", import.meta.url));

describe.each([15, 16, 17, 18] as const)("on PostgreSQL %d", async (version) => {
  const postgres = await startTestPostgres({ version });
  afterAll(() => postgres.stop());
  const passwords = { app: "app-password", migrator: "migrator-password" };

  test("roles, migrations and the check agree, also the second time", async () => {
    const adminUrl = await ensureDatabase(postgres.adminUrl, "twice");
    for (let time = 0; time < 2; time += 1) {
      const { url, ownerUrl } = await prepareRoles(adminUrl, passwords);
      await migrate({ ownerUrl, log });
      await using db = createDatabase({ url, log });
      await expect(checkDatabase(db)).resolves.toBeUndefined();
    }

    expect(await ensureDatabase(postgres.adminUrl, "twice")).toBe(adminUrl);
  });

  test("an administrator who is no superuser can prepare a database of its own", async () => {
    const managed = await startManaged();
    const { url, ownerUrl } = await prepareRoles(managed.adminUrl);

    await migrate({ ownerUrl, log });

    await using db = createDatabase({ url, log });
    await expect(checkDatabase(db)).resolves.toBeUndefined();
    await managed.server.stop();
  });

  test("the application role adds jobs and runs them, with nothing to migrate", async () => {
    const adminUrl = await ensureDatabase(postgres.adminUrl, "jobs");
    const { url, ownerUrl } = await prepareRoles(adminUrl, passwords);
    await migrate({ ownerUrl, log });
    await using db = createDatabase({ url, log });
    const seen: unknown[] = [];

    await db.acrossSites(sql`select graphile_worker.add_job('note', '{"id": 1}'::json)`);
    await runOnce({
      pgPool: db.directPool,
      noHandleSignals: true,
      logger: new Logger(() => () => undefined),
      taskList: { note: (payload) => void seen.push(payload) },
    });

    expect(seen).toEqual([{ id: 1 }]);
  });

  /** A server whose administrator may create roles and owns the database, as in a cloud. */
  async function startManaged() {
    const server = await startTestPostgres({ version });
    await runAsAdmin(
      server.adminUrl,
      "create role cloud_admin login createrole password 'cloud-password'",
    );
    await runAsAdmin(server.adminUrl, "create database managed owner cloud_admin");
    const url = new URL(withDatabase(server.adminUrl, "managed"));
    url.username = "cloud_admin";
    url.password = "cloud-password";
    return { server, adminUrl: url.href };
  }
});

describe("migrate", async () => {
  const postgres = await startTestPostgres();
  const folder = await mkdtemp(join(tmpdir(), "signet-migrations-"));
  await writeFile(
    join(folder, "0001_notes.sql"),
    "create table signet.notes (id integer); select pg_sleep(0.3);",
  );
  await writeFile(join(folder, "README.md"), "Not a migration.");
  afterAll(async () => {
    await postgres.stop();
    await rm(folder, { recursive: true });
  });

  async function prepare(name: string) {
    const adminUrl = await ensureDatabase(postgres.adminUrl, name);
    const passwords = { app: "app-password", migrator: "migrator-password" };
    return { adminUrl, ...(await prepareRoles(adminUrl, passwords)) };
  }

  test("is done once by two processes that start at the same instant", async () => {
    const { adminUrl, ownerUrl } = await prepare("together");
    const run = () => promisify(execFile)(process.execPath, [migrateProgram, ownerUrl, folder]);

    await Promise.all([run(), run(), run()]);

    const applied = await runAsAdmin(adminUrl, "select name from signet.migrations");
    expect(applied).toEqual([{ name: "0001_notes" }]);
  });

  test("applies what is new, and nothing of a file that fails", async () => {
    const { adminUrl, ownerUrl } = await prepare("growing");
    const growing = await mkdtemp(join(tmpdir(), "signet-migrations-"));
    await writeFile(join(growing, "0001_one.sql"), "create table signet.one (id integer);");
    await migrate({ ownerUrl, folder: growing, log });
    await writeFile(join(growing, "0002_two.sql"), "create table signet.two (id integer); oops;");

    const error = await rejection(migrate({ ownerUrl, folder: growing, log }));
    const failed = await runAsAdmin(adminUrl, "select to_regclass('signet.two') as two");
    await writeFile(join(growing, "0002_two.sql"), "create table signet.two (id integer);");
    await migrate({ ownerUrl, folder: growing, log });

    expect(error).toMatchObject({ message: expect.stringContaining("oops") });
    expect(failed).toEqual([{ two: null }]);
    const names = await runAsAdmin(adminUrl, "select name from signet.migrations order by id");
    expect(names).toEqual([{ name: "0001_one" }, { name: "0002_two" }]);
    await rm(growing, { recursive: true });
  });

  test("refuses a database that a newer Signet has migrated, and names what it lacks", async () => {
    const { adminUrl, ownerUrl } = await prepare("newer");
    await migrate({ ownerUrl, log });
    await runAsAdmin(
      adminUrl,
      "insert into signet.migrations (name, run_on) values ('9999_future', now())",
    );

    const error = await rejection(migrate({ ownerUrl, folder: MIGRATIONS_FOLDER, log }));

    expect(error).toBeInstanceOf(SchemaNewerError);
    expect(error).toMatchObject({ message: expect.stringContaining("9999_future") });
  });

  test("puts everything under the owner role, and nothing under who logs in", async () => {
    const { adminUrl, ownerUrl } = await prepare("owned");
    await migrate({ ownerUrl, folder, log });

    const owners = await runAsAdmin(
      adminUrl,
      `select distinct relowner::regrole::text as owner from pg_class
        where relnamespace in ('signet'::regnamespace, 'graphile_worker'::regnamespace)`,
    );

    expect(owners).toEqual([{ owner: "signet_owner" }]);
  });
});
