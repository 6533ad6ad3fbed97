import type { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Principal, type UserTransaction, withUser } from "../../../src/client/index.ts";
import {
  buy,
  openTradesDatabase,
  somebody,
  symbolsIn,
  type TradesDatabase,
} from "../../support/trades-database.ts";
import { rejection } from "../../support/waiting.ts";

type Transaction = UserTransaction<Pool>;

let database: TradesDatabase;
/** Of one connection: whatever one caller leaves on it meets the next. */
let pool: Pool;

beforeAll(async () => {
  database = await openTradesDatabase();
  pool = database.openPool({ max: 1 });
});

afterAll(() => database[Symbol.asyncDispose]());

const buyAs = (who: Principal, symbol: string) => withUser(pool, who, (db) => buy(db, symbol));
const symbolsOf = (who: Principal) => withUser(pool, who, symbolsIn);

/** What a statement sees that comes to the pool without a User. */
async function leftBehind(): Promise<unknown> {
  const { rows } = await pool.query(`
    select nullif(current_setting('app.user_id', true), '') as user_id,
           nullif(current_setting('app.site_id', true), '') as site_id,
           (select count(*)::int from trades) as visible,
           pg_current_xact_id_if_assigned() is not null as writing`);
  return rows[0];
}

const NOTHING = { user_id: null, site_id: null, visible: 0, writing: false };

describe("a connection that comes back", () => {
  const endings: Readonly<Record<string, (db: Transaction) => Promise<unknown>>> = {
    "a commit": (db) => buy(db, "ADA"),
    "an error of the app": () => Promise.reject(new Error("the app's own")),
    "a statement that fails": (db) => db.query("select 1 / 0"),
    "a failure that nobody minds": (db) => rejection(db.query("select 1 / 0")),
    "settings for the whole session": async (db) => {
      await db.query("select set_config('app.user_id', gen_random_uuid()::text, false)");
      await db.query("set app.site_id = 'c0ffee00-0000-0000-0000-000000000000'");
    },
    "settings, a commit of its own and an error": async (db) => {
      await db.query("select set_config('app.user_id', gen_random_uuid()::text, false)");
      await db.query("commit");
      throw new Error("the app's own");
    },
    "a rollback of its own": (db) => db.query("rollback"),
    "an open savepoint": (db) => db.query("savepoint half_way"),
  };

  test.each(Object.keys(endings))("carries nobody over after %s", async (ending) => {
    const run = endings[ending] ?? (() => Promise.resolve());

    await Promise.allSettled([withUser(pool, somebody(), run)]);

    expect(await leftBehind()).toEqual(NOTHING);
    expect(await symbolsOf(somebody())).toEqual([]);
  });

  test("is the same one after an error, and is not left open", async () => {
    const pidOf = async () => (await pool.query("select pg_backend_pid() as pid")).rows[0].pid;
    const before = await pidOf();

    for (const run of Object.values(endings)) {
      await Promise.allSettled([withUser(pool, somebody(), run)]);
    }

    expect(await pidOf()).toBe(before);
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 1]);
  });

  test.each(["amid a statement", "between two"])(
    "is replaced where it was lost %s, and the process lives on",
    async (moment) => {
      const ada = somebody();
      const own = database.openPool({ max: 1 });
      const { promise: isLost, resolve } = Promise.withResolvers<void>();
      own.on("connect", (client) => client.once("end", resolve));
      const terminate = "select pg_terminate_backend($1)";

      const lost = withUser(own, ada, async (db) => {
        await buy(db, "LOST");
        const { rows } = await db.query("select pg_backend_pid() as pid");
        if (moment === "amid a statement") return await db.query(terminate, [rows[0].pid]);
        await database.owner.pool.query(terminate, [rows[0].pid]);
        await isLost;
        return await buy(db, "AFTER");
      });

      expect(await rejection(lost)).toBeInstanceOf(Error);
      expect(await withUser(own, ada, symbolsIn)).toEqual([]);
    },
  );

  test("is closed where the app has given up on a statement that still runs", async () => {
    const hasty = database.openPool({ max: 1, query_timeout: 300 });

    const error = await rejection(
      withUser(hasty, somebody(), (db) => db.query("select pg_sleep(60)")),
    );

    expect(error).toBeInstanceOf(Error);
    expect(hasty.totalCount).toBe(0);
  });

  test("listens no more for its loss", async () => {
    const listeners = async () => {
      const connection = await pool.connect();
      const count = connection.listenerCount("error");
      connection.release();
      return count;
    };
    const before = await listeners();

    for (let n = 0; n < 20; n++) await withUser(pool, somebody(), symbolsIn);

    expect(await listeners()).toBe(before);
  });
});

describe("the transaction", () => {
  test("is undone by an error, which comes through as it is", async () => {
    const ada = somebody();
    const error = new Error("the app's own");

    const thrown = await rejection(
      withUser(pool, ada, async (db) => {
        await buy(db, "ADA");
        throw error;
      }),
    );

    expect(thrown).toBe(error);
    expect(await symbolsOf(ada)).toEqual([]);
  });

  test("is not told to be committed where a statement of it has failed", async () => {
    const ada = somebody();

    const thrown = await rejection(
      withUser(pool, ada, async (db) => {
        await buy(db, "ADA");
        await rejection(db.query("select 1 / 0"));
        return "done";
      }),
    );

    expect(thrown).toMatchObject({ message: expect.stringContaining("nothing was committed") });
    expect(await symbolsOf(ada)).toEqual([]);
  });

  test("is undone where the commit itself fails", async () => {
    const ada = somebody();
    await database.owner.pool.query(`
      create or replace function refuse() returns trigger language plpgsql
        as $$ begin raise exception 'refused'; end $$;
      create constraint trigger refuse_late after insert on trades
        deferrable initially deferred for each row
        when (new.symbol = 'LATE') execute function refuse()`);

    const thrown = await rejection(buyAs(ada, "LATE"));

    expect(thrown).toMatchObject({ message: "refused" });
    expect(await symbolsOf(ada)).toEqual([]);
    expect(await leftBehind()).toEqual(NOTHING);
  });

  test("refuses statements after its end, when the connection is somebody else's", async () => {
    const [ada, eve] = [somebody(), somebody()];
    await buyAs(eve, "EVE");
    const kept = await withUser(pool, ada, async (db) => db);

    const late = await withUser(pool, eve, () => rejection(symbolsIn(kept)));

    expect(late).toMatchObject({ message: expect.stringContaining("has ended") });
  });
});
