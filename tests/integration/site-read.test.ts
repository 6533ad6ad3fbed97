import { afterAll, describe, expect, test } from "vitest";
import { Failure } from "../../src/model/failure.ts";
import { newId, type SiteId } from "../../src/model/id.ts";
import { codeOf } from "../../src/store/postgres-errors.ts";
import { sql } from "../../src/store/sql.ts";
import { openTestDatabase, runAsAdmin } from "../support/database.ts";
import { rejection } from "../support/waiting.ts";

// One connection, so that each read meets what the one before it has left.
const own = await openTestDatabase({ poolMax: 1 });
const { db, adminUrl } = own;
afterAll(() => own[Symbol.asyncDispose]());

const [mine, theirs] = [newId<SiteId>(), newId<SiteId>()];
await runAsAdmin(
  adminUrl,
  `create table public.papers (site_id uuid not null, id integer not null, text text);
   insert into papers
     values ('${mine}', 1, 'mine'), ('${theirs}', 2, 'theirs'), ('${mine}', 3, null);
   alter table papers enable row level security;
   create policy own_site on papers
     using (site_id = current_setting('signet.site_id')::uuid);
   grant select, insert on papers to signet_app`,
);
interface Begun {
  readonly begin: string;
  readonly site: string;
}
const papers = () => sql`select id, text from papers order by id`;
const leftOver = sql`
  select current_setting('signet.site_id', true) as site,
         current_setting('transaction_read_only') as read_only`;

describe("readIn", () => {
  test("reads as the Site that it names, whichever was read before", async () => {
    const found = [];
    for (const siteId of [mine, theirs, mine]) {
      found.push((await db.readIn(siteId).query(papers())).rows);
    }

    const own = [
      { id: 1, text: "mine" },
      { id: 3, text: null },
    ];
    expect(found).toEqual([own, [{ id: 2, text: "theirs" }], own]);
  });

  test("leaves neither its Site nor its mode to what comes after it", async () => {
    await db.readIn(mine).query(papers());

    const { rows } = await db.acrossSites(leftOver);
    const error = await rejection(db.acrossSites(papers()));

    expect(rows).toEqual([{ site: expect.toBeOneOf([null, ""]), read_only: "off" }]);
    expect(codeOf(error)).toMatch(/^(42704|22P02)$/);
  });

  test("leaves nothing behind after an error either, and goes on", async () => {
    const broken = sql`select 1 / (id - 1) as x from papers`;
    const [first, second] = [
      await rejection(db.readIn(mine).query(broken)),
      await rejection(db.readIn(mine).query(broken)),
    ];

    const { rows } = await db.acrossSites(leftOver);
    expect([codeOf(first), codeOf(second)]).toEqual(["22012", "22012"]);
    expect(rows).toEqual([{ site: expect.toBeOneOf([null, ""]), read_only: "off" }]);
    expect((await db.readIn(theirs).query(papers())).rows).toHaveLength(1);
  });

  test("writes nothing", async () => {
    const insert = sql`insert into papers values (${mine}, 4, 'smuggled')`;

    const error = await rejection(db.readIn(mine).query(insert));

    expect(codeOf(error)).toBe("25006");
  });

  test("takes values as they are", async () => {
    const hostile = `'; drop table papers; --\\"{},\u0000`.replace("\u0000", "ü🔑");
    const values = sql`
      select ${hostile}::text as text, ${[hostile, "NULL", ""]}::text[] as texts,
             ${null}::text as none, ${7}::bigint as number,
             ${Buffer.from([0, 255])}::bytea as bytes, ${new Date(1_234)}::timestamptz as time`;

    for (const _once of [1, 2]) {
      const { rows } = await db.readIn(mine).query(values);

      expect(rows).toEqual([
        {
          text: hostile,
          texts: [hostile, "NULL", ""],
          none: null,
          number: 7,
          bytes: Buffer.from([0, 255]),
          time: new Date(1_234),
        },
      ]);
    }
  });

  test("prepares a statement once for each connection", async () => {
    const statement = () => sql`select ${newId()}::text as once`;
    for (const _again of [1, 2, 3]) await db.readIn(mine).query(statement());

    const { rows } = await db.acrossSites(
      sql`select generic_plans + custom_plans as runs from pg_prepared_statements
           where statement like '%as once%'`,
    );
    expect(rows).toEqual([{ runs: 3 }]);
  });

  test("goes on where the columns of a statement have changed since", async () => {
    await db.readIn(mine).query(papers());
    await runAsAdmin(adminUrl, "alter table papers alter column text type varchar(9)");

    const { rows } = await db.readIn(mine).query(papers());

    expect(rows).toHaveLength(2);
  });

  test("is repeated where its connection is lost, once it can be", async () => {
    await db.readIn(mine).query(papers());
    await own.terminate("signet");

    expect((await db.readIn(mine).query(papers())).rows).toHaveLength(2);
  });

  test("never mixes up those that run at the same time", async () => {
    await using many = await openTestDatabase({ poolMax: 4 });
    const echo = sql`select current_setting('signet.site_id') as site`;
    const sites = Array.from({ length: 300 }, () => newId<SiteId>());

    const found = await Promise.all(sites.map((siteId) => many.db.readIn(siteId).query(echo)));

    expect(found.map(({ rows }) => rows)).toEqual(sites.map((site) => [{ site }]));
  });

  test("shares a transaction with those of its Site at the same time", async () => {
    await using many = await openTestDatabase({ poolMax: 4 });
    const begin = sql`select now()::text as begin, current_setting('signet.site_id') as site`;
    const ask = (siteId: SiteId) => many.db.readIn(siteId).query<Begun>(begin);

    const found = await Promise.all([mine, theirs, mine, theirs, mine].map(ask));
    const [later] = (await ask(mine)).rows;

    const rows = found.flatMap((each) => each.rows);
    expect(rows.map(({ site }) => site)).toEqual([mine, theirs, mine, theirs, mine]);
    const beginsOf = (siteId: SiteId) =>
      new Set(rows.filter(({ site }) => site === siteId).map((row) => row.begin));
    expect(beginsOf(mine).size).toBe(1);
    expect(beginsOf(theirs).size).toBe(1);
    expect(beginsOf(mine)).not.toContain(later?.begin);
  });

  test("fails alone, whatever is asked for at the same time", async () => {
    const number = (n: number) => sql`select ${n}::integer as number`;
    const broken = sql`select ${"no number"}::integer as number`;
    const unwritable = sql`select ${new Date(Number.NaN)}::timestamptz as number`;
    const statements = [number(1), broken, number(3), unwritable, ...[5, 6, 7, 8, 9].map(number)];

    const found = await Promise.allSettled(
      statements.map((each) => db.readIn(mine).query<{ number: number }>(each)),
    );

    const numbers = found.map((each) =>
      each.status === "fulfilled" ? each.value.rows[0]?.number : (codeOf(each.reason) ?? "none"),
    );
    expect(numbers).toEqual([1, "22P02", 3, "none", 5, 6, 7, 8, 9]);
  });

  test("works where statements must not be kept", async () => {
    const pooled = await openTestDatabase({ poolMax: 1, directUrl: own.appUrl });
    await using _disposed = pooled;
    for (const number of [1, 2]) {
      const { rows } = await pooled.db.readIn(mine).query(sql`select ${number}::bigint as number`);
      expect(rows).toEqual([{ number }]);
    }

    const { rows } = await pooled.db.acrossSites(sql`select name from pg_prepared_statements`);
    expect(rows).toEqual([]);
  });

  test("fails with UNAVAILABLE where it takes too long", async () => {
    const error = await rejection(db.readIn(mine).query(sql`select pg_sleep(60)`));

    expect(error).toBeInstanceOf(Failure);
    expect(error).toMatchObject({ reason: "unavailable" });
  });
});
