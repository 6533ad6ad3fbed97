import { Pool } from "pg";
import { afterAll, describe, expect, test } from "vitest";
import { Failure } from "../../src/model/failure.ts";
import { newId, type SiteId } from "../../src/model/id.ts";
import { createDatabase } from "../../src/store/database.ts";
import { constraintOf } from "../../src/store/postgres-errors.ts";
import { sql } from "../../src/store/sql.ts";
import { openTestDatabase, runAsAdmin } from "../support/database.ts";
import { silentLog, startTestPostgres } from "../support/postgres.ts";
import { rejection, until } from "../support/waiting.ts";

const own = await openTestDatabase();
const { db, adminUrl } = own;
await runAsAdmin(
  adminUrl,
  `create table public.notes (id integer primary key, text text not null);
   grant select, insert, update, delete on public.notes to signet_app`,
);
afterAll(() => own[Symbol.asyncDispose]());

const siteId = newId<SiteId>();

describe("inSite", () => {
  test("names the Site for its transaction and no longer", async () => {
    const current = sql`select current_setting('signet.site_id', true) as site`;

    const inside = await db.inSite(siteId, (tx) => tx.query(current));
    const outside = await db.acrossSites(current);

    expect(inside.rows).toEqual([{ site: siteId }]);
    expect(outside.rows[0]?.site ?? "").toBe("");
  });

  test("commits what its work wrote, and rolls back what a failing work wrote", async () => {
    await db.inSite(siteId, (tx) => tx.query(sql`insert into notes values (1, 'kept')`));
    const error = await rejection(
      db.inSite(siteId, async (tx) => {
        await tx.query(sql`insert into notes values (2, 'lost')`);
        throw new Failure("version_mismatch");
      }),
    );

    const { rows } = await db.acrossSites(sql`select id from notes where id in (1, 2)`);
    expect(error).toMatchObject({ reason: "version_mismatch" });
    expect(rows).toEqual([{ id: 1 }]);
  });

  test("names the constraint that a statement violated", async () => {
    const insert = sql`insert into notes values (10, 'once')`;
    await db.acrossSites(insert);

    const error = await rejection(db.inSite(siteId, (tx) => tx.query(insert)));

    expect(error).not.toBeInstanceOf(Failure);
    expect(constraintOf(error)).toBe("notes_pkey");
  });

  test("refuses to commit after an error that its work has swallowed", async () => {
    const error = await rejection(
      db.inSite(siteId, async (tx) => {
        await tx.query(sql`select 1 / 0`).catch(() => undefined);
      }),
    );

    expect(error).toMatchObject({ message: expect.stringContaining("rolled back") });
  });

  test("refuses a statement that is sent after the transaction has ended", async () => {
    const leaked = await db.inSite(siteId, async (tx) => tx);

    const error = await rejection(leaked.query(sql`select 1`));

    expect(error).toMatchObject({ message: expect.stringContaining("had ended") });
  });

  test("refuses to write in a transaction that is read only", async () => {
    const write = db.inSite(siteId, (tx) => tx.query(sql`insert into notes values (20, '')`), {
      isolation: "repeatable read",
      readOnly: true,
    });

    expect(await rejection(write)).toMatchObject({ code: "25006" });
  });

  test("runs again after serialization failures, and all attempts take effect once", async () => {
    await db.acrossSites(sql`insert into notes values (30, '0')`);
    let attempts = 0;
    let reads = 0;
    const bothHaveRead = Promise.withResolvers<void>();
    const increment = () =>
      db.inSite(
        siteId,
        async (tx) => {
          attempts += 1;
          const { rows } = await tx.query<{ text: string }>(
            sql`select text from notes where id = 30`,
          );
          const next = String(Number(rows[0]?.text) + 1);
          reads += 1;
          if (reads === 2) bothHaveRead.resolve();
          await bothHaveRead.promise;
          await tx.query(sql`update notes set text = ${next} where id = 30`);
        },
        { isolation: "repeatable read" },
      );

    await Promise.all([increment(), increment()]);

    const { rows } = await db.acrossSites(sql`select text from notes where id = 30`);
    expect(rows).toEqual([{ text: "2" }]);
    expect(attempts).toBe(3);
  });

  test("resolves a deadlock by running one of the two again", async () => {
    await db.acrossSites(sql`insert into notes values (40, ''), (41, '')`);
    const held = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    let attempts = 0;
    const lockBoth = (first: number, second: number) =>
      db.inSite(siteId, async (tx) => {
        attempts += 1;
        await tx.query(sql`update notes set text = text || 'b' where id = ${first}`);
        held[first - 40]?.resolve();
        await Promise.all(held.map(({ promise }) => promise)); // Now each waits for the other.
        await tx.query(sql`set local lock_timeout = '5s'`);
        await tx.query(sql`update notes set text = text || 'b' where id = ${second}`);
      });

    await Promise.all([lockBoth(40, 41), lockBoth(41, 40)]);

    const { rows } = await db.acrossSites(sql`select text from notes where id in (40, 41)`);
    expect(rows).toEqual([{ text: "bb" }, { text: "bb" }]);
    expect(attempts).toBe(3);
  });

  test("runs again when the connection is lost before the commit", async () => {
    let attempts = 0;

    await db.inSite(siteId, async (tx) => {
      attempts += 1;
      await tx.query(sql`insert into notes values (50, ${String(attempts)})`);
      if (attempts === 1) await own.terminate("signet");
      await tx.query(sql`select 1`);
    });

    const { rows } = await db.acrossSites(sql`select text from notes where id = 50`);
    expect(rows).toEqual([{ text: "2" }]);
  });

  test("fails with unavailable, and does not run again, if lost during the commit", async () => {
    await runAsAdmin(
      adminUrl,
      `create table public.doomed (id integer);
       grant insert on public.doomed to signet_app;
       create function public.end_session() returns trigger language plpgsql security definer
         as $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
       create constraint trigger at_commit after insert on public.doomed
         deferrable initially deferred for each row execute function public.end_session();`,
    );
    let attempts = 0;

    const error = await rejection(
      db.inSite(siteId, async (tx) => {
        attempts += 1;
        await tx.query(sql`insert into doomed values (1)`);
      }),
    );

    expect(error).toMatchObject({ reason: "unavailable", retryDelayMs: 1_000 });
    expect(attempts).toBe(1);
  });
});

describe("timeouts", () => {
  test("are in force for the application role", async () => {
    const { rows } = await db.acrossSites(sql`
      select current_setting('statement_timeout') as statement,
             current_setting('lock_timeout') as lock,
             current_setting('idle_in_transaction_session_timeout') as idle`);

    expect(rows).toEqual([{ statement: "3s", lock: "1s", idle: "5s" }]);
  });

  test("a statement that takes too long fails with unavailable", async () => {
    const error = await rejection(db.acrossSites(sql`select pg_sleep(10)`));

    expect(error).toMatchObject({ reason: "unavailable" });
  });

  test("a connection whose statement was given up is not used again", async () => {
    const single = createDatabase({ url: own.appUrl, poolMax: 1, log: silentLog });
    const stuck = sql`select pg_sleep(10), set_config('statement_timeout', '0', false)`;
    await single.acrossSites(sql`select set_config('statement_timeout', '0', false)`);
    const before = await single.acrossSites(sql`select pg_backend_pid() as pid`);

    const error = await rejection(single.acrossSites(stuck));
    const after = await single.acrossSites(sql`select pg_backend_pid() as pid`);

    expect(error).toMatchObject({ reason: "unavailable" });
    expect(after.rows[0]?.pid).not.toBe(before.rows[0]?.pid);
    await own.terminate("signet");
    await single.close();
  });

  test("a full pool answers unavailable within its limit, and validation goes on", async () => {
    const single = createDatabase({ url: own.appUrl, poolMax: 1, log: silentLog });
    const occupied = single.inSite(siteId, (tx) => tx.query(sql`select pg_sleep(2.5)`));

    const [error, answer] = await Promise.all([
      rejection(single.acrossSites(sql`select 1`)),
      single.validation.acrossSites(sql`select 1 as one`),
    ]);

    expect(error).toMatchObject({ reason: "unavailable" });
    expect(answer.rows).toEqual([{ one: 1 }]);
    await occupied;
    await single.close();
  });
});

describe("connections", () => {
  test("survive the loss of idle ones", async () => {
    await db.acrossSites(sql`select 1`);
    await own.terminate("signet");

    const answer = await db.inSite(siteId, (tx) => tx.query(sql`select 1 as one`));

    expect(answer.rows).toEqual([{ one: 1 }]);
  });

  test("survive the loss of one that is checked out, also of the pool for jobs", async () => {
    const client = await db.directPool.connect();
    await own.terminate("signet jobs");
    await until(async () => (await rejection(client.query("select 1"))) instanceof Error);
    client.release(true);

    const { rows } = await db.directPool.query("select 1 as one");

    expect(rows).toEqual([{ one: 1 }]);
  });

  test("answer unavailable while PostgreSQL is stopped, and come back with it", async () => {
    await using first = await startTestPostgres();
    const away = createDatabase({ url: first.adminUrl, log: silentLog });
    const states: string[] = [];
    const listener = away.listen("changes", {
      onNotify: () => undefined,
      onState: (state) => states.push(state),
    });
    await until(() => states.length === 1);
    const pool = new Pool({ connectionString: first.adminUrl });
    pool.on("error", () => undefined);
    await pool.query("select 1");

    process.kill(first.pid(), "SIGKILL");
    const error = await until(async () => {
      const answer = await rejection(away.acrossSites(sql`select 1`));
      return answer;
    });
    await until(async () => (await away.acrossSites(sql`select 1`)).rowCount === 1, 20_000);
    await until(() => states.length === 3, 10_000);

    expect(error).toMatchObject({ reason: "unavailable" });
    expect(states).toEqual(["listening", "disconnected", "listening"]);
    await listener.close();
    await away.close();
    await pool.end();
  });
});
