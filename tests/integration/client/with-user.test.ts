import type { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Principal, withUser } from "../../../src/client/index.ts";
import { blocksOf } from "../../support/guide-blocks.ts";
import { hasPgBouncer, startPgBouncer } from "../../support/pgbouncer.ts";
import {
  buy,
  openTradesDatabase,
  somebody,
  symbolsIn,
  type TradesDatabase,
} from "../../support/trades-database.ts";
import { rejection } from "../../support/waiting.ts";

let database: TradesDatabase;
/** Of one connection: whatever one caller leaves on it meets the next. */
let pool: Pool;

beforeAll(async () => {
  database = await openTradesDatabase();
  pool = database.openPool({ max: 1 });
});

afterAll(() => database[Symbol.asyncDispose]());

const buyAs = (who: Principal, symbol: string) => withUser(pool, who, (db) => buy(db, symbol));
const symbolsOf = (who: Principal, from: Pool = pool) => withUser(from, who, symbolsIn);

describe("withUser", () => {
  test("shows everybody their own rows, of the Site that they are on", async () => {
    const [ada, eve] = [somebody(), somebody()];
    const adaElsewhere = { ...ada, siteId: eve.siteId };

    await buyAs(ada, "ADA");
    await buyAs(eve, "EVE");

    expect(await symbolsOf(ada)).toEqual(["ADA"]);
    expect(await symbolsOf(eve)).toEqual(["EVE"]);
    expect(await symbolsOf(adaElsewhere)).toEqual([]);
  });

  test("keeps everybody from writing rows of others", async () => {
    const [ada, eve] = [somebody(), somebody()];
    await buyAs(ada, "ADA");

    const inserted = rejection(
      withUser(pool, eve, (db) =>
        db.query(
          "insert into trades (site_id, user_id, symbol, quantity) values ($1, $2, 'BAD', 1)",
          [ada.siteId, ada.userId],
        ),
      ),
    );
    const changed = await withUser(pool, eve, (db) => db.query("update trades set quantity = 9"));
    const deleted = await withUser(pool, eve, (db) => db.query("delete from trades"));
    const given = rejection(
      withUser(pool, ada, (db) => db.query("update trades set user_id = $1", [eve.userId])),
    );

    expect(await inserted).toMatchObject({ code: "42501" });
    expect(await given).toMatchObject({ code: "42501" });
    expect([changed.rowCount, deleted.rowCount]).toEqual([0, 0]);
    expect(await symbolsOf(ada)).toEqual(["ADA"]);
  });

  test("gives a job one User's rows to delete", async () => {
    const [ada, eve] = [somebody(), somebody()];
    await buyAs(ada, "ADA");
    await buyAs(eve, "EVE");

    await withUser(pool, { ...ada }, (db) => db.query("delete from trades"));

    expect(await symbolsOf(ada)).toEqual([]);
    expect(await symbolsOf(eve)).toEqual(["EVE"]);
  });

  test("refuses a principal that names nobody, before it takes a connection", async () => {
    const fresh = database.openPool();
    const nobody = [
      { userId: "", siteId: "a" },
      { userId: "a", siteId: "" },
      {} as Principal,
      Promise.resolve(somebody()) as unknown as Principal,
    ];

    const errors = await Promise.all(
      nobody.map((who) => rejection(withUser(fresh, who, async () => "ran"))),
    );

    expect(errors).toEqual(nobody.map(() => expect.any(TypeError)));
    expect(fresh.totalCount).toBe(0);
  });

  test("refuses a role that row-level security does not bind", async () => {
    const error = await rejection(
      withUser(database.owner.pool, somebody(), async () => "ran without a wall"),
    );

    expect(error).toMatchObject({ message: expect.stringContaining("row-level security") });
    expect(database.owner.pool.idleCount).toBe(database.owner.pool.totalCount);
  });
});

describe("a query that forgets whose it is", () => {
  test.each(["a fresh connection", "a connection that a User had"])(
    "does nothing on %s",
    async (kind) => {
      const ada = somebody();
      const own = database.openPool({ max: 1 });
      await buyAs(ada, "ADA");
      if (kind !== "a fresh connection") await symbolsOf(ada, own);

      const read = await symbolsIn(own);
      const changed = await own.query("update trades set quantity = 9");
      const deleted = await own.query("delete from trades");
      const inserted = await rejection(
        own.query("insert into trades (symbol, quantity) values ('BAD', 1)"),
      );

      expect(read).toEqual([]);
      expect([changed.rowCount, deleted.rowCount]).toEqual([0, 0]);
      expect(inserted).toMatchObject({ code: expect.stringMatching(/^(42501|23502)$/) });
      expect(await symbolsOf(ada)).toEqual(["ADA"]);
    },
  );

  test("is nobody's inside withUser, too, if it goes to the pool", async () => {
    const ada = somebody();
    const two = database.openPool({ max: 2 });
    await buyAs(ada, "ADA");

    const [inside, beside] = await withUser(two, ada, async (db) => [
      await symbolsIn(db),
      (await two.query("select symbol from trades")).rows,
    ]);

    expect(inside).toEqual(["ADA"]);
    expect(beside).toEqual([]);
  });
});

describe("many callers at once", () => {
  /** Each of 25 Users buys 20 times, and tells what they have seen that was not theirs. */
  async function buyTogether(few: Pool) {
    const people = Array.from({ length: 25 }, somebody);
    const calls = people.flatMap((who) => Array.from({ length: 20 }, () => who));
    const strange = await Promise.all(
      calls.map((who) =>
        withUser(few, who, async (db) => {
          await buy(db, who.userId);
          return (await symbolsIn(db)).filter((symbol) => symbol !== who.userId);
        }),
      ),
    );
    const kept = await Promise.all(people.map((who) => symbolsOf(who, few)));
    return { strange: strange.flat(), kept: kept.map((symbols) => symbols.length) };
  }

  const TOGETHER = { strange: [], kept: Array.from({ length: 25 }, () => 20) };

  test("see their own rows on connections that they share", async () => {
    expect(await buyTogether(database.openPool({ max: 4 }))).toEqual(TOGETHER);
  });

  test.runIf(hasPgBouncer())("do so behind PgBouncer in transaction mode", async () => {
    await using bouncer = await startPgBouncer(database.url, { poolSize: 3 });
    const few = database.openPool({ connectionString: bouncer.url, max: 12 });

    expect(await buyTogether(few)).toEqual(TOGETHER);
    expect(await symbolsIn(few)).toEqual([]);
    await few.end();
  });
});

describe("the guide", () => {
  const [, , unguarded = ""] = blocksOf("row-level-security", "sql");

  test("lets its jobs read all rows, and write none", async () => {
    const jobs = database.openPool({ connectionString: database.jobsUrl });
    await buyAs(somebody(), "ADA");

    const { rows } = await jobs.query("select count(distinct user_id)::int as users from trades");
    const written = await rejection(jobs.query("update trades set quantity = 9"));

    expect(rows[0].users).toBeGreaterThan(0);
    expect(written).toMatchObject({ code: "42501" });
  });

  test("finds tables and views without a wall, and none of its own", async () => {
    const owner = database.owner.pool;
    const find = async () => (await owner.query(unguarded)).rows.map((row) => row.unguarded);
    const before = await find();

    await owner.query(`
      create table bare (id int);
      create table half (id int);
      alter table half enable row level security;
      create view leaky as select symbol from trades;
      create view tight with (security_invoker = true) as select symbol from trades;
      create materialized view frozen as select symbol from trades`);
    const added = (await find()).filter((name) => !before.includes(name));

    expect(before).not.toContain("trades");
    expect(added.sort()).toEqual(["bare", "frozen", "half", "leaky"]);
  });
});
