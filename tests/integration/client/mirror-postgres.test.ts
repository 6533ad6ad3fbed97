import { createHash } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  createUserMirror,
  type MirrorConnection,
  MirrorError,
  type PostgresMirrorOptions,
  type User,
} from "../../../src/client/index.ts";
import { idOf, SITE_ID, startSiteModel } from "../../conformance/site-model.ts";
import { openMirrorTable } from "../../support/mirror-table.ts";
import { rejection, until } from "../../support/waiting.ts";

async function begin(count: number) {
  const site = await startSiteModel();
  const place = openMirrorTable();
  onTestFinished(async () => {
    await site[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });
  for (let n = 1; n <= count; n++) site.put(idOf(n));
  const open = (options: Partial<PostgresMirrorOptions> = {}) => {
    const { table, openPool } = place;
    const mirror = createUserMirror({ client: site.client, pool: openPool(), table, ...options });
    onTestFinished(() => mirror.close());
    return mirror;
  };
  const converged = () =>
    until(async () => {
      const [present, wanted] = [await place.users(), site.users()];
      return JSON.stringify([...present]) === JSON.stringify([...wanted]);
    }, 20_000);
  return { site, place, open, converged };
}

describe("the table of a mirror", () => {
  test("lets nobody else write what Signet owns, and counts the attempts", async () => {
    const { place, open, converged } = await begin(3);
    const mirror = open();
    await converged();
    const { admin, table } = place;

    const attempts = [
      `update ${table} set email = 'mallory@example.com'`,
      `delete from ${table} where id = '${idOf(1)}'`,
      `truncate ${table}`,
    ];
    for (const attempt of attempts) {
      expect(await rejection(admin.query(attempt))).toMatchObject({ code: "42501" });
    }

    expect(await mirror.foreignWrites()).toBe(3n);
    await converged();
  });

  test("has room for columns of the app's own, which changes leave alone", async () => {
    const { site, place, open, converged } = await begin(3);
    const { admin, table } = place;
    const mirror = open();
    await converged();

    await admin.query(`alter table ${table} add column plan_tier text not null default 'free'`);
    await admin.query(`update ${table} set plan_tier = 'gold' where id = $1`, [idOf(2)]);
    site.put(idOf(2), "new@example.com");
    site.put(idOf(4));
    await converged();
    const { rows } = await admin.query(`select id, plan_tier from ${table} order by id`);

    expect(rows.map((row) => row.plan_tier)).toEqual(["free", "gold", "free", "free"]);
    expect(await mirror.foreignWrites()).toBe(0n);
  });

  test("has the digests by which Signet compares", async () => {
    const { place, open, converged } = await begin(1);
    open();
    await converged();

    const { rows } = await place.admin.query(
      `select mirror_digest::text as digest, mirror_leaf as leaf from ${place.table}`,
    );
    const id = Buffer.from(idOf(1).replaceAll("-", ""), "hex");
    const version = Buffer.from("0000000000000001", "hex");
    const digest = createHash("sha256").update(id).update(version).digest();
    const leaf = createHash("sha256").update(id).digest().readUInt16BE();

    expect(rows).toEqual([{ digest: digest.readBigInt64BE().toString(), leaf }]);
  });

  test("must have the columns of a mirror, or the mirror closes and names them", async () => {
    const { place, open } = await begin(1);
    await place.admin.query(`create table ${place.table} (id text primary key, version bigint)`);
    const mirror = open();

    const last = (await Array.fromAsync(mirror.status)).at(-1);
    const error = last?.type === "closed" ? last.error : undefined;

    expect(error).toBeInstanceOf(MirrorError);
    expect(String(error)).toContain("id must be uuid, and is text");
    expect(String(error)).toContain("email must be text, and is missing");
  });

  test("keeps a deleted User's row without personal data, or removes it", async () => {
    const { site, place, open, converged } = await begin(3);
    const kept = open({ tombstones: "keep" });
    await converged();
    site.remove(idOf(1));
    await converged();
    const { rows } = await place.admin.query(
      `select id, email, state, site_id from ${place.table} where deleted`,
    );
    await kept.close();

    open({ tombstones: "delete" });
    site.remove(idOf(2));
    await converged();
    const { rows: all } = await place.admin.query(`select id, deleted from ${place.table}`);

    expect(rows).toEqual([{ id: idOf(1), email: null, state: "deleted", site_id: SITE_ID }]);
    expect(all.map(({ id }) => id).sort()).toEqual([idOf(1), idOf(3)]);
  });
});

describe("a User who is filled in on demand", () => {
  test("waits for a write of the stream, and does not undo its deletion", async () => {
    const { site, place, open, converged } = await begin(1);
    const { admin, table } = place;
    const mirror = open({ tombstones: "delete" });
    await converged();
    const stream = await admin.connect();
    await stream.query(`begin; select 1 from ${table}_state for update`);
    site.put(idOf(9));
    const filled = mirror.ensureUser(idOf(9));
    await stream.query(`insert into ${table}_tombstones (id, epoch, version) values ($1, 1, 9)`, [
      idOf(9),
    ]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await stream.query("commit");
    stream.release();
    await filled;

    await mirror.waitFor({ userId: idOf(9), version: 9n });
    expect([...(await place.users()).keys()]).toEqual([idOf(1)]);
  });
});

describe("a mirror whose connections are killed", () => {
  test("between a write and its commit applies everything exactly once", async () => {
    const { place, open, converged } = await begin(9);
    let kills = 0;
    const onCreate = async (db: MirrorConnection, users: readonly User[]) => {
      await openAccounts(db, place.table, users);
      if (++kills <= 2) await place.terminate();
    };
    await createAccounts(place);

    const mirror = open({ onCreate });
    await converged();

    expect(await accountsOf(place)).toBe(9);
    expect(mirror.counters.failures).toBe(2);
  });

  test("at any time, again and again, with two instances, ends up equal", async () => {
    const { site, place, open, converged } = await begin(20);
    await createAccounts(place);
    const onCreate = (db: MirrorConnection, users: readonly User[]) =>
      openAccounts(db, place.table, users);
    const mirrors = [open({ onCreate }), open({ onCreate, tombstones: "keep" })];
    await converged(); // Who is removed before any mirror has seen them gets no account.

    for (let n = 1; n <= 300; n++) {
      site.put(idOf(n % 7 === 0 ? 20 + n : 1 + (n % 20)), `${n}@example.com`);
      if (n % 11 === 0) site.remove(idOf(1 + (n % 5)));
      if (n % 25 === 0) await place.terminate();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await converged();

    const metrics = () => mirrors.map((mirror) => mirror.metrics());
    await until(() => metrics().some(({ leading, sumsEqual }) => leading && sumsEqual), 20_000);
    const leads = metrics().reduce((sum, { leads: own }) => sum + own, 0);
    expect(metrics().map(({ usersDiffering }) => usersDiffering)).toEqual([0, 0]);
    expect(leads).toBeGreaterThan(2);
    expect(await accountsOf(place)).toBe(20 + Math.floor(300 / 7));
  });
});

type Place = ReturnType<typeof openMirrorTable>;

async function createAccounts({ admin, table }: Place): Promise<void> {
  await admin.query(`create table ${table}_accounts (user_id uuid primary key)`);
}

/** Fails where a User has an account already. */
async function openAccounts(
  db: MirrorConnection,
  table: string,
  users: readonly User[],
): Promise<void> {
  const ids = JSON.stringify(users.map(({ id }) => id));
  await db.query(
    `insert into ${table}_accounts select value::uuid from json_array_elements_text($1::json)`,
    [ids],
  );
}

async function accountsOf({ admin, table }: Place): Promise<number> {
  const { rows } = await admin.query(`select count(*)::integer as count from ${table}_accounts`);
  return Number(rows[0]?.count);
}
