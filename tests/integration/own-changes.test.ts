import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newId, type SiteId, type UserId } from "../../src/model/id.ts";
import { newUser } from "../../src/model/user.ts";
import { encodeUser } from "../../src/rpc/convert-user.ts";
import { followChanges, SEQUENCED_ROWS_MAX } from "../../src/store/changes.ts";
import { enqueue, type Queryable, sql } from "../../src/store/sql.ts";
import { firstVersion, insertUser } from "../../src/store/users.ts";
import { createBareSite } from "../support/bare-site.ts";
import { type ChangeGenerator, createChangeGenerator } from "../support/change-generator.ts";
import { recountHead } from "../support/change-race.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { holdSequencer } from "../support/held-sequencer.ts";
import { until } from "../support/waiting.ts";

/** The key of a lock that holds up a commit. */
const GATE = 4711;

let database: TestDatabase;
let siteId: SiteId;
let generator: ChangeGenerator;

beforeAll(async () => {
  database = await openTestDatabase();
  siteId = await createBareSite(database.db);
  generator = createChangeGenerator(database.db, siteId);
  await sequenced(); // The first step notes which database this is.
});

afterAll(() => database[Symbol.asyncDispose]());

test("a writer that is alone numbers its change, and nobody numbers it again", async () => {
  const begin = await head();

  await database.db.changeSite(siteId, createUser);

  expect(await head()).toBe(begin + 1);
  expect(await sequenced()).toBe(0);
  expect(await head()).toBe(begin + 1);
  await expectExactSums();
});

test("of writers at the same time one numbers, and for those before it too", async () => {
  await sequenced();
  const begin = await head();
  const gate = await holdLock();
  const first = database.db.changeSite(siteId, async (tx) => {
    await createUser(tx);
    await enqueue(tx, sql`select pg_advisory_xact_lock(${GATE})`); // Sent with the commit.
  });
  await until(() => database.db.isNumbering());

  const second = await database.db.changeSite(siteId, createUser);
  const between = await head();
  await gate.end();
  const { numbered } = await first;

  expect([second.numbered, between]).toEqual([undefined, begin]);
  expect(numbered?.rows.map(({ pos }) => pos)).toEqual([begin + 1, begin + 2]);
  expect(await sequenced()).toBe(0);
  expect(database.db.isNumbering()).toBe(false);
  await expectExactSums();
});

test("where many write they leave it to the reader", async () => {
  await sequenced();
  const begin = await head();
  const ended = Promise.withResolvers<void>();
  const others = Array.from({ length: 4 }, () =>
    database.db.changeSite(siteId, () => ended.promise),
  );

  const { numbered } = await database.db.changeSite(siteId, createUser);
  const by = await head();
  ended.resolve();
  await Promise.all(others);

  expect([numbered, by]).toEqual([undefined, begin]);
});

test("the next writer numbers although the one before it has failed", async () => {
  const undone = new Error("taken back");
  const failing = database.db.changeSite(siteId, async (tx) => {
    await createUser(tx);
    await enqueue(tx, sql`select 1 / 0`, () => undone); // Fails the commit.
  });
  await expect(failing).rejects.toThrow();

  const { numbered } = await database.db.changeSite(siteId, createUser);

  expect(numbered?.sequenced).toBeGreaterThan(0);
});

test("what others have left comes first, so that a User's versions stay in order", async () => {
  await sequenced();
  const begin = await head();
  const user = await generator.create();
  await generator.update(user);
  await generator.update(user, { numbers: true });

  expect(await versionsAfter(begin)).toEqual([1, 2, 3]);
  expect(await sequenced()).toBe(0);
  await expectExactSums();
});

test("a change that commits later than it was written is found by the next step", async () => {
  await sequenced();
  const begin = await head();
  const held = Promise.withResolvers<void>();
  const written = Promise.withResolvers<void>();
  const late = generator.create({
    hold: async () => {
      written.resolve();
      await held.promise;
    },
  });
  await written.promise;
  await generator.create({ numbers: true });
  const early = await head();
  held.resolve();
  await late;

  expect(early).toBe(begin + 1);
  expect(await sequenced()).toBe(1);
  await expectExactSums();
});

test("nothing stays of the numbering if the transaction is rolled back", async () => {
  const begin = await head();
  const undone = new Error("taken back");

  await database.db
    .inSite(siteId, async (tx) => {
      await createUser(tx);
      await numberOwn(tx);
      throw undone;
    })
    .catch((error: unknown) => expect(error).toBe(undone));

  expect(await head()).toBe(begin);
  expect(await sequenced()).toBe(0);
  await expectExactSums();
});

test("a deletion that its writer numbers takes what is personal out of the log", async () => {
  const begin = await head();
  const user = await generator.create({ numbers: true });
  await generator.update(user);
  await generator.remove(user, { numbers: true });

  const { rows } = await followChanges({ query: database.db.acrossSites }, begin, 10);

  expect(rows.map((row) => row.type === "user_change" && row.body !== undefined)).toEqual([
    false,
    false,
    true,
  ]);
});

test("it is left to the next step while another numbers", async () => {
  const begin = await head();
  const { released } = await holdSequencer(database.adminUrl, 2);
  await generator.create({ numbers: true });
  const during = await head();
  await released;

  expect(during).toBe(begin);
  expect(await sequenced()).toBe(1);
});

test("it is left to the next step under a snapshot that does not move on", async () => {
  const begin = await head();
  await database.db.inSite(
    siteId,
    async (tx) => {
      await createUser(tx);
      await numberOwn(tx);
    },
    { isolation: "repeatable read" },
  );

  expect(await head()).toBe(begin);
  expect(await sequenced()).toBe(1);
});

test("it is left to the steps amid a backlog", async () => {
  const begin = await head();
  await generator.fill(SEQUENCED_ROWS_MAX + 10);
  expect(await sequenced()).toBe(SEQUENCED_ROWS_MAX);

  await generator.create({ numbers: true });

  expect(await head()).toBe(begin + SEQUENCED_ROWS_MAX);
  expect(await sequenced()).toBe(11);
  await expectExactSums();
});

test("it is left to the step that takes a new epoch", async () => {
  const [{ identifier } = { identifier: "" }] = await runAsAdmin<{ identifier: string }>(
    database.adminUrl,
    "select system_identifier::text as identifier from signet.change_state",
  );
  const begin = await head();
  await nameSystem("1");
  await generator.create({ numbers: true });
  const during = await head();
  await nameSystem(identifier);

  expect(during).toBe(begin);
  expect(await sequenced()).toBe(1);
});

/** Locks the gate on a connection of its own, which opens it as it ends. */
async function holdLock(): Promise<Client> {
  const client = new Client({ connectionString: database.appUrl });
  await client.connect();
  await client.query("select pg_advisory_lock($1)", [GATE]);
  return client;
}

async function createUser(tx: Queryable): Promise<void> {
  const version = await firstVersion(tx, siteId);
  const createTime = new Date();
  const id = newId<UserId>(createTime);
  const user = newUser({ id, siteId, version, createTime, displayName: "Ada Lovelace" });
  await insertUser(tx, user, {
    kind: "user_created",
    furtherKinds: [],
    body: encodeUser(user),
    bulk: false,
  });
}

async function numberOwn(tx: Queryable): Promise<void> {
  await tx.query(sql`select signet.sequence_own_changes()`);
}

/** Takes a step of a reader; returns how many changes it has numbered. */
async function sequenced(): Promise<number> {
  const step = await followChanges({ query: database.db.acrossSites }, Number.MAX_SAFE_INTEGER, 1);
  return step.sequenced;
}

/** Returns the end of the log without taking a step. */
async function head(): Promise<number> {
  const statement = "select head::float8 as head from signet.change_state";
  const [row] = await runAsAdmin<{ head: number }>(database.adminUrl, statement);
  return row?.head ?? -1;
}

async function versionsAfter(pos: number): Promise<number[]> {
  const rows = await runAsAdmin<{ version: number }>(
    database.adminUrl,
    `select version::float8 as version from signet.changes where pos > ${pos} order by pos`,
  );
  return rows.map(({ version }) => version);
}

async function nameSystem(identifier: string): Promise<void> {
  await runAsAdmin(
    database.adminUrl,
    `update signet.change_state set system_identifier = ${identifier}`,
  );
}

async function expectExactSums(): Promise<void> {
  const { kept, recounted } = await recountHead(database.adminUrl, siteId);
  expect(kept).toEqual(recounted);
}
