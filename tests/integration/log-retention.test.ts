import { Client } from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SiteId } from "../../src/model/id.ts";
import { findSiteHead, followChanges, listUserChanges } from "../../src/store/changes.ts";
import { dropOldChanges, sizeChangePartitions } from "../../src/store/retention.ts";
import type { Queryable } from "../../src/store/sql.ts";
import { createBareSite } from "../support/bare-site.ts";
import { createChangeGenerator } from "../support/change-generator.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";

const ROWS_EACH = 10_000;

let database: TestDatabase;
let across: Queryable;

beforeEach(async () => {
  database = await openTestDatabase();
  across = { query: database.db.acrossSites };
});

afterEach(() => database[Symbol.asyncDispose]());

describe("the log", () => {
  test("loses a partition that is old and has enough after it, and no other", async () => {
    await sizeChangePartitions(across, ROWS_EACH);
    await fillSite(2.5 * ROWS_EACH);

    const young = await dropOldChanges(across, { days: 7, rows: ROWS_EACH });
    await ageFullPartitions(8);
    const tooFew = await dropOldChanges(across, { days: 7, rows: 2 * ROWS_EACH });
    const tooYoung = await dropOldChanges(across, { days: 9, rows: ROWS_EACH });
    const first = await dropOldChanges(across, { days: 7, rows: ROWS_EACH });
    const second = await dropOldChanges(across, { days: 7, rows: ROWS_EACH });

    expect([young, tooFew, tooYoung]).toEqual(["none", "none", "none"]);
    expect([first, second]).toEqual(["dropped", "none"]);
    expect(await countLog()).toEqual({ oldest: ROWS_EACH, rows: 1.5 * ROWS_EACH + 1 });
  });

  test("answers with the oldest position that is kept, and its head where none is", async () => {
    await sizeChangePartitions(across, ROWS_EACH);
    const quiet = await fillSite(5);
    const busy = await fillSite(2 * ROWS_EACH);
    await ageFullPartitions(8);

    const outcome = await dropOldChanges(across, { days: 7, rows: ROWS_EACH });

    expect(outcome).toBe("dropped");
    expect(await headOf(quiet)).toMatchObject({ position: 5, oldestPosition: 6 });
    const { oldestPosition } = await headOf(busy);
    expect(oldestPosition).toBe(ROWS_EACH - 5);
    expect((await changesOf(busy))[0]?.position).toBe(oldestPosition);
  });

  test("is not dropped while it is read, and the sequencer does not wait", async () => {
    await sizeChangePartitions(across, ROWS_EACH);
    const siteId = await fillSite(2 * ROWS_EACH);
    await ageFullPartitions(8);
    const reader = await openReader();

    const during = await dropOldChanges(across, { days: 7, rows: ROWS_EACH });
    await createChangeGenerator(database.db, siteId).create();
    const { sequenced } = await step();
    await reader.end();
    const after = await dropOldChanges(across, { days: 7, rows: ROWS_EACH });

    expect([during, sequenced, after]).toEqual(["busy", 1, "dropped"]);
  });

  test("keeps its full partitions in any case", async () => {
    await sizeChangePartitions(across, ROWS_EACH);
    const siteId = await fillSite(100);

    await sizeChangePartitions(across, 2 * ROWS_EACH);
    const outcome = await dropOldChanges(across, { days: 0, rows: 0 });

    expect(outcome).toBe("none");
    expect(await changesOf(siteId)).toHaveLength(100);
  });
});

describe("the partitions of the log", () => {
  test("take another size from the first empty one on", async () => {
    await sizeChangePartitions(across, ROWS_EACH);
    const siteId = await fillSite(ROWS_EACH / 2);

    const done = await sizeChangePartitions(across, 2 * ROWS_EACH);
    await createChangeGenerator(database.db, siteId).fill(ROWS_EACH);
    await step();

    expect(done).toBe(true);
    expect((await listPartitions()).slice(0, 3)).toEqual([
      { from: 0, until: ROWS_EACH },
      { from: ROWS_EACH, until: 3 * ROWS_EACH },
      { from: 3 * ROWS_EACH, until: 5 * ROWS_EACH },
    ]);
    expect(await changesOf(siteId)).toHaveLength(1.5 * ROWS_EACH);
  });

  test("stay as they are while the log is read", async () => {
    const before = await listPartitions();
    const reader = await openReader();

    const done = await sizeChangePartitions(across, ROWS_EACH);
    await reader.end();

    expect(done).toBe(false);
    expect(await listPartitions()).toEqual(before);
  });

  test("are always ahead of the changes, also where a new epoch jumps", async () => {
    await sizeChangePartitions(across, ROWS_EACH);
    const siteId = await fillSite(1.2 * ROWS_EACH);
    await runAsAdmin(database.adminUrl, "update signet.change_state set system_identifier = 1");
    await step();

    await createChangeGenerator(database.db, siteId).fill(10);
    await step();

    const { position } = await headOf(siteId);
    expect(position).toBe(1.2 * ROWS_EACH + 10);
    expect((await listPartitions()).length).toBeLessThan(10);
    const bounds = `select count(*)::integer as count from pg_inherits
                     where inhparent = 'signet.changes'::regclass`;
    const [attached] = await runAsAdmin<{ count: number }>(database.adminUrl, bounds);
    expect(attached?.count).toBe((await listPartitions()).length);
  });
});

/** Creates a Site with so many Changes, all numbered. */
async function fillSite(changes: number): Promise<SiteId> {
  const siteId = await createBareSite(database.db);
  await createChangeGenerator(database.db, siteId).fill(changes);
  while ((await step()).sequenced !== 0);
  return siteId;
}

function step() {
  return followChanges(across, Number.MAX_SAFE_INTEGER, 1);
}

/** Has them noticed as full, and then as if that had been so many days ago. */
async function ageFullPartitions(days: number): Promise<void> {
  await dropOldChanges(across, { days: 3_650, rows: 0 });
  await runAsAdmin(
    database.adminUrl,
    `update signet.change_partitions set full_time = full_time - interval '${days} days'`,
  );
}

/** Somebody who has read the log in a transaction that is still open, as a dump would. */
async function openReader(): Promise<Client> {
  const client = new Client({ connectionString: database.adminUrl });
  await client.connect();
  await client.query("begin; select count(*) from signet.changes");
  return client;
}

async function countLog() {
  const [row] = await runAsAdmin<{ oldest: number; rows: number }>(
    database.adminUrl,
    "select min(pos)::integer as oldest, count(*)::integer as rows from signet.changes",
  );
  return row;
}

function listPartitions() {
  return runAsAdmin<{ from: number; until: number }>(
    database.adminUrl,
    `select from_pos::integer as from, until_pos::integer as until
       from signet.change_partitions order by from_pos`,
  );
}

function headOf(siteId: SiteId) {
  return database.db.inSite(siteId, (tx) => findSiteHead(tx, siteId));
}

function changesOf(siteId: SiteId) {
  const page = { after: 0, limit: 3 * ROWS_EACH };
  return database.db.inSite(siteId, (tx) => listUserChanges(tx, siteId, page));
}
