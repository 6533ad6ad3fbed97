import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SiteId, UserId } from "../../src/model/id.ts";
import {
  findSiteHead,
  followChanges,
  type LogStep,
  SEQUENCED_ROWS_MAX,
  trimOutbox,
} from "../../src/store/changes.ts";
import { createDatabase } from "../../src/store/database.ts";
import { prepareDatabase, withDatabase } from "../../src/store/roles.ts";
import { createBareSite } from "../support/bare-site.ts";
import { type ChangeGenerator, createChangeGenerator } from "../support/change-generator.ts";
import { recountHead } from "../support/change-race.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { silentLog } from "../support/postgres.ts";
import { until } from "../support/waiting.ts";

let database: TestDatabase;
let siteId: SiteId;
let generator: ChangeGenerator;

beforeAll(async () => {
  database = await openTestDatabase();
  siteId = await createBareSite(database.db);
  generator = createChangeGenerator(database.db, siteId);
});

afterAll(() => database[Symbol.asyncDispose]());

describe("the sequencer", () => {
  test("numbers a change that commits late after those that overtook it", async () => {
    const begin = (await step()).head;
    const held = Promise.withResolvers<void>();
    const late = generator.create({ hold: () => held.promise });
    const early = await generator.create();
    const first = await step(begin);
    held.resolve();

    const second = await step(first.head);

    expect(idsOf(first)).toEqual([early]);
    expect(idsOf(await stepUntilFound(second, first.head))).toEqual([await late]);
  });

  test("counts positions without gaps for each Site by itself", async () => {
    const other = await createBareSite(database.db);
    const { position } = await headOf(siteId);
    const theirs = createChangeGenerator(database.db, other);

    await Promise.all([generator.fill(40), theirs.fill(30), generator.fill(20)]);
    await Promise.all([
      generator.create({ rollback: true }),
      generator.create({ savepoint: true }),
    ]);
    await step();

    expect((await headOf(siteId)).position).toBe(position + 61);
    expect((await headOf(other)).position).toBe(30);
    expect(await positionsOf(other)).toEqual(Array.from({ length: 30 }, (_, n) => n + 1));
    expect(await recountHead(database.adminUrl, other)).toSatisfy(isExact);
  });

  test("stands back while another numbers, and loses nothing if that one dies", async () => {
    const begin = (await step()).head;
    const id = await generator.create();
    const other = new Client({ connectionString: database.appUrl });
    other.on("error", () => undefined);
    await other.connect();
    await other.query("begin; select signet.follow_changes(0, 1)");

    const during = await step(begin);
    await other.query("rollback");
    await other.end();
    const after = await step(begin);

    expect(during).toMatchObject({ sequenced: -1, rows: [] });
    expect(idsOf(after)).toEqual([id]);
  });

  test("erases the bodies of a deleted User in the log, but for the tombstone", async () => {
    const begin = (await step()).head;
    const id = await generator.create();
    await generator.update(id);
    await step();

    await generator.remove(id);
    const { rows } = await step(begin);
    const bodies = rows.map((row) => row.type === "user_change" && row.body !== undefined);

    expect(bodies).toEqual([false, false, true]);
  });

  test("erases them in the outbox as well, without waiting for the trim", async () => {
    const begin = (await step()).head;
    const id = await generator.create();
    await generator.update(id);
    await step();
    await generator.update(id);
    await generator.remove(id);

    const { rows } = await step(begin);

    const tombstone = rows.at(-1);
    expect(tombstone).toMatchObject({ userId: id, kind: "user_deleted" });
    expect(await outboxVersionsOf(id)).toEqual([(tombstone as { version?: number }).version]);
  });

  test("looks past a backlog once the last part of it is numbered", async () => {
    await step();
    const { xmax } = await storedSnapshot();
    await generator.fill(SEQUENCED_ROWS_MAX);

    const counts = [(await step()).sequenced, (await storedSnapshot()).xmax === xmax];
    const last = (await step()).sequenced;

    expect(counts).toEqual([SEQUENCED_ROWS_MAX, true]);
    expect(last).toBe(0);
    expect((await storedSnapshot()).xmax).not.toBe(xmax);
  });

  test("numbers a backlog in parts, in order, and each change once", async () => {
    const begin = (await step()).head;
    const { position } = await headOf(siteId);
    const held = Promise.withResolvers<void>();
    const late = generator.create({ hold: () => held.promise });
    await generator.fill(2 * SEQUENCED_ROWS_MAX + 500);

    const counts = [await step(), await step()].map(({ sequenced }) => sequenced);
    held.resolve();
    await late;
    const rest = (await step()).sequenced + (await step()).sequenced;

    expect(counts).toEqual([SEQUENCED_ROWS_MAX, SEQUENCED_ROWS_MAX]);
    expect(rest).toBe(501);
    expect((await headOf(siteId)).position).toBe(position + 2 * SEQUENCED_ROWS_MAX + 501);
    expect((await step(begin)).rows).toHaveLength(1_000);
    expect(await recountHead(database.adminUrl, siteId)).toSatisfy(isExact);
  });

  test("keeps sums that a recount confirms after creations, changes and deletions", async () => {
    const ids = await generator.fill(50);
    for (const id of ids.slice(0, 20)) await generator.update(id);
    for (const id of ids.slice(10, 30)) await generator.remove(id);
    await step();

    expect(await recountHead(database.adminUrl, siteId)).toSatisfy(isExact);
  });
});

describe("trimming the outbox", () => {
  test("removes what was numbered, although a transaction stays open", async () => {
    const begin = (await step()).head;
    const held = Promise.withResolvers<void>();
    const open = generator.create({ hold: () => held.promise });
    await generator.fill(10);
    const { head } = await stepUntilFound(await step(begin), begin);

    await trimOutbox({ query: database.db.acrossSites });
    const left = await outboxRows();
    held.resolve();
    const id = await open;
    const found = await stepUntilFound(await step(head), head);

    expect(left).toBe(0); // The open transaction's own row is not visible yet.
    expect(idsOf(found)).toEqual([id]);
  });
});

describe("a copy of the database", () => {
  test("has a new epoch, sums of its own rows, and versions above all before", async () => {
    const source = await openTestDatabase();
    const site = await createBareSite(source.db);
    const before = createChangeGenerator(source.db, site);
    const [id, gone] = await before.fill(3);
    await before.remove(gone as UserId);
    const first = await followChanges({ query: source.db.acrossSites }, 0, 100);
    await before.update(id as UserId); // In the outbox, and not yet numbered.
    await source.db.close();

    await using copy = await copyOf(source);
    const second = await followChanges({ query: copy.db.acrossSites }, first.head, 100);
    const after = createChangeGenerator(copy.db, site);
    await after.update(id as UserId);
    const third = await followChanges({ query: copy.db.acrossSites }, second.head, 100);
    const [changed] = third.rows;

    expect(second.epoch).toBeGreaterThan(first.epoch);
    expect(second.rows).toEqual([]);
    expect(third.epoch).toBe(second.epoch);
    expect(changed).toMatchObject({ version: (second.epoch - 1) * 2 ** 26 + 1, position: 5 });
    expect(await sumsOf(copy.adminUrl, site)).toEqual({ users: 2, exact: true });
    await source[Symbol.asyncDispose]();
  });
});

function step(after: number = Number.MAX_SAFE_INTEGER): Promise<LogStep> {
  return followChanges({ query: database.db.acrossSites }, after, 1_000);
}

async function stepUntilFound(found: LogStep, after: number): Promise<LogStep> {
  let last = found;
  await until(async () => {
    if (last.rows.length === 0) last = await step(after);
    return last.rows.length > 0;
  });
  return last;
}

function idsOf({ rows }: LogStep): (UserId | undefined)[] {
  return rows.map((row) => (row.type === "user_change" ? row.userId : undefined));
}

function headOf(site: SiteId) {
  return database.db.inSite(site, (tx) => findSiteHead(tx, site));
}

async function positionsOf(site: SiteId): Promise<number[]> {
  const rows = await runAsAdmin<{ position: string }>(
    database.adminUrl,
    `select position from signet.changes where site_id = '${site}' order by pos`,
  );
  return rows.map(({ position }) => Number(position));
}

async function outboxVersionsOf(id: UserId): Promise<number[]> {
  const rows = await runAsAdmin<{ version: string }>(
    database.adminUrl,
    `select version from signet.change_outbox where user_id = '${id}' order by version`,
  );
  return rows.map(({ version }) => Number(version));
}

async function storedSnapshot() {
  const statement = "select pg_snapshot_xmax(snapshot)::text as xmax from signet.change_state";
  const [row] = await runAsAdmin<{ xmax: string }>(database.adminUrl, statement);
  return { xmax: row?.xmax };
}

async function outboxRows(): Promise<number> {
  const statement = "select count(*)::integer as count from signet.change_outbox";
  const [row] = await runAsAdmin<{ count: number }>(database.adminUrl, statement);
  return row?.count ?? -1;
}

function isExact({ kept, recounted }: { readonly kept: unknown; readonly recounted: unknown }) {
  return JSON.stringify(kept) === JSON.stringify(recounted);
}

async function sumsOf(adminUrl: string, site: SiteId) {
  const [row] = await runAsAdmin<{ users: number; exact: boolean }>(
    adminUrl,
    `select h.users::integer,
            h.xor = (select bit_xor(signet.user_digest(u.id, u.version)) from signet.users u
                      where u.site_id = h.site_id and u.state <> 'deleted') as exact
       from signet.site_heads h where h.site_id = '${site}'`,
  );
  return row;
}

/** Restores a backup, as far as the database can tell. */
async function copyOf(source: TestDatabase) {
  const name = `${new URL(source.adminUrl).pathname.slice(1)}_copy`;
  const serverUrl = withDatabase(source.adminUrl, "postgres");
  const template = new URL(source.adminUrl).pathname.slice(1);
  await runAsAdmin(serverUrl, `create database ${name} template ${template}`);
  const adminUrl = withDatabase(source.adminUrl, name);
  await prepareDatabase(adminUrl);
  const db = createDatabase({ url: withDatabase(source.appUrl, name), log: silentLog });
  return {
    db,
    adminUrl,
    async [Symbol.asyncDispose]() {
      await db.close();
      await runAsAdmin(serverUrl, `drop database ${name} with (force)`);
    },
  };
}
