import { afterAll, describe, expect, test } from "vitest";
import { Failure } from "../../src/model/failure.ts";
import { newId, type SiteId } from "../../src/model/id.ts";
import { codeOf } from "../../src/store/postgres-errors.ts";
import { enqueue, hot, type Queryable, sql } from "../../src/store/sql.ts";
import { openTestDatabase, runAsAdmin } from "../support/database.ts";
import { rejection } from "../support/waiting.ts";

// One connection, so that each transaction meets what the one before it has left.
const own = await openTestDatabase({ poolMax: 1 });
const { db, adminUrl } = own;
afterAll(() => own[Symbol.asyncDispose]());

const siteId = newId<SiteId>();
await runAsAdmin(
  adminUrl,
  `create table public.leaves (id integer primary key, text text);
   grant select, insert, update, delete on public.leaves to signet_app`,
);
const insert = (id: number, text = "") => hot`insert into leaves values (${id}, ${text})`;
const leavesFrom = (id: number) => hot`
  select id, text from leaves where id between ${id} and ${id + 9} order by id`;
const leavesNow = async (id: number) => (await db.acrossSites(leavesFrom(id))).rows;

describe("statements of a transaction that are asked for together", () => {
  test("are run in their order, and each is answered with its own rows", async () => {
    const answers = await db.inSite(siteId, (tx) =>
      Promise.all([
        tx.query(insert(1, "a")),
        tx.query(leavesFrom(1)),
        tx.query(insert(2, "b")),
        tx.query(hot`update leaves set text = 'c' where id in (1, 2) returning text`),
      ]),
    );

    expect(answers.map(({ rows }) => rows)).toEqual([
      [],
      [{ id: 1, text: "a" }],
      [],
      [{ text: "c" }, { text: "c" }],
    ]);
    expect(answers.map(({ rowCount }) => rowCount)).toEqual([1, 1, 1, 2]);
  });

  test("fail from the first on that fails, and leave nothing", async () => {
    const failures: unknown[] = [];
    const note = (query: Promise<unknown>) => query.catch((error) => failures.push(codeOf(error)));

    const error = await rejection(
      db.inSite(siteId, async (tx) => {
        const [first] = await Promise.allSettled([
          tx.query(insert(11)),
          note(tx.query(insert(11))),
          note(tx.query(insert(12))),
        ]);
        expect(first.status).toBe("fulfilled");
        throw new Failure("version_mismatch");
      }),
    );

    expect(error).toMatchObject({ reason: "version_mismatch" });
    expect(failures).toEqual(["23505", "23505"]);
    expect(await leavesNow(11)).toEqual([]);
  });
});

describe("a statement that is enqueued", () => {
  test("is seen by the next one, and committed", async () => {
    const seen = await db.inSite(siteId, async (tx) => {
      await enqueue(tx, insert(21, "early"));
      const { rows } = await tx.query(leavesFrom(21));
      await enqueue(tx, insert(22, "late"));
      return rows;
    });

    expect(seen).toEqual([{ id: 21, text: "early" }]);
    expect(await leavesNow(21)).toEqual([...seen, { id: 22, text: "late" }]);
  });

  test("is not run where the work fails", async () => {
    await rejection(
      db.inSite(siteId, async (tx) => {
        await enqueue(tx, insert(31));
        throw new Failure("version_mismatch");
      }),
    );

    expect(await leavesNow(31)).toEqual([]);
  });

  const toTaken = () => new Failure("email_taken");
  const failing: Record<string, (tx: Queryable) => Promise<unknown>> = {
    "the commit": async (tx) => {
      await enqueue(tx, insert(42));
      await enqueue(tx, insert(41), toTaken);
      await enqueue(tx, insert(43));
    },
    "the next statement": async (tx) => {
      await enqueue(tx, insert(41), toTaken);
      await tx.query(insert(42));
    },
  };
  test.each(Object.entries(failing))("fails %s with its own translation", async (_, work) => {
    await db.acrossSites(sql`insert into leaves values (41, 'taken') on conflict do nothing`);

    const error = await rejection(db.inSite(siteId, work));

    expect(error).toMatchObject({ reason: "email_taken" });
    expect(await leavesNow(41)).toEqual([{ id: 41, text: "taken" }]);
  });

  test("is run at once, and translated, outside of a transaction", async () => {
    const across: Queryable = { query: (statement) => db.acrossSites(statement) };
    await enqueue(across, sql`insert into leaves values (51, '')`);

    const error = await rejection(
      enqueue(across, sql`insert into leaves values (51, '')`, () => new Failure("id_taken")),
    );

    expect(error).toMatchObject({ reason: "id_taken" });
  });
});

describe("a hot statement", () => {
  test("stays prepared, also after an error of another; others do not", async () => {
    const mine = () => hot`select ${"x"}::text as stays`;
    await db.inSite(siteId, (tx) => Promise.all([tx.query(mine()), tx.query(sql`select 'goes'`)]));
    await rejection(db.inSite(siteId, (tx) => tx.query(hot`select 1 / ${0}::integer`)));
    await db.inSite(siteId, (tx) => tx.query(mine()));

    const { rows } = await db.acrossSites(
      sql`select statement ~ 'stays' as stays, generic_plans + custom_plans as runs
            from pg_prepared_statements where statement ~ '(stay|goe)s'`,
    );
    expect(rows).toEqual([{ stays: true, runs: 2 }]);
  });

  test("runs its transaction again where its columns have changed since", async () => {
    await db.inSite(siteId, (tx) => tx.query(leavesFrom(61)));
    await runAsAdmin(adminUrl, "alter table leaves alter column text type varchar(9)");
    let attempts = 0;

    await db.inSite(siteId, async (tx) => {
      attempts += 1;
      await enqueue(tx, insert(61, `${attempts}`));
      await tx.query(leavesFrom(61));
    });

    expect(await leavesNow(61)).toEqual([{ id: 61, text: "2" }]);
  });

  test("is not kept where a pooler may stand between", async () => {
    await using pooled = await openTestDatabase({ poolMax: 1, directUrl: own.appUrl });
    for (const _again of [1, 2]) {
      await pooled.db.inSite(siteId, (tx) => tx.query(hot`select 1`));
    }

    const { rows } = await pooled.db.acrossSites(sql`select name from pg_prepared_statements`);
    expect(rows).toEqual([]);
  });
});

test("values come back as they were sent, whatever their kind", async () => {
  const texts = ['a "quoted" \\ one', "", "NULL", "{1,2}", "ü\n"];
  const time = new Date("2026-11-21T09:00:00.123Z");
  const bytes = new Uint8Array([0, 92, 255]);
  const json = { list: [1, { deep: "'" }], none: null };

  const { rows } = await db.inSite(siteId, (tx) =>
    tx.query(sql`
      select ${texts}::text[] as texts, ${[1, null, 3]}::integer[] as numbers,
             ${time}::timestamptz as time, ${bytes}::bytea as bytes,
             ${[Buffer.from(bytes)]}::bytea[] as buffers,
             ${json}::jsonb as json, ${true}::boolean as yes, ${null}::text as none,
             ${undefined}::text as missing, ${2 ** 40}::bigint as big`),
  );

  expect(rows).toEqual([
    {
      texts,
      numbers: [1, null, 3],
      time,
      bytes: Buffer.from(bytes),
      buffers: [Buffer.from(bytes)],
      json,
      yes: true,
      none: null,
      missing: null,
      big: 2 ** 40,
    },
  ]);
});

test("a value that cannot be written fails its statement, and the connection goes on", async () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;

  const error = await rejection(
    db.inSite(siteId, (tx) => tx.query(sql`select ${circle}::jsonb as json`)),
  );

  expect(error).toBeInstanceOf(TypeError);
  const { rows } = await db.inSite(siteId, (tx) => tx.query(sql`select 1 as one`));
  expect(rows).toEqual([{ one: 1 }]);
});
