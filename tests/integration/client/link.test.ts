import { randomBytes } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Pool, PoolClient } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type User, UserSchema, UserState } from "../../../gen/signet/v1/user_pb.ts";
import { createUserLink, type UserLink } from "../../../src/client/index.ts";
import type { MirrorConnection } from "../../../src/client/postgres-connection.ts";
import { type AppDatabase, openAppDatabase } from "../../support/app-database.ts";
import { until } from "../../support/waiting.ts";

let app: AppDatabase;
let pool: Pool;

beforeAll(async () => {
  app = await openAppDatabase();
  pool = app.pool;
  await pool.query("create schema shop");
});

afterAll(() => app[Symbol.asyncDispose]());

let tables = 0;

/** Makes a table with a row for each address. */
async function makeTable(
  addresses: readonly (string | null)[],
  { idType = "bigint", quotedId = "id" } = {},
): Promise<string> {
  const table = `shop.people_${++tables}`;
  await pool.query(`create table ${table} (
    "${quotedId}" ${idType} primary key, email text, auth_user_id uuid)`);
  for (const [n, email] of addresses.entries()) {
    const id = idType === "uuid" ? `00000000-0000-0000-0000-00000000000${n + 1}` : n + 1;
    await pool.query(`insert into ${table} values ($1, $2)`, [id, email]);
  }
  return table;
}

function person(email: string, settings: MessageInitShape<typeof UserSchema> = {}): User {
  const id = crypto.randomUUID();
  return create(UserSchema, {
    id,
    email,
    emailVerified: true,
    state: UserState.ACTIVE,
    ...settings,
  });
}

async function linksOf(table: string): Promise<(string | null)[]> {
  const { rows } = await pool.query<{ link: string | null }>(
    `select auth_user_id::text as link from ${table} order by 1 nulls last`,
  );
  return rows.map(({ link }) => link);
}

const linkTo = (table: string): UserLink<MirrorConnection> => createUserLink({ pool, table });

describe("linkAtLogin", () => {
  test("links the row whose address the User has verified, in any case", async () => {
    const table = await makeTable(["Ada@Example.com", "eve@example.com", null]);
    const ada = person("ada@example.com");

    const first = await linkTo(table).linkAtLogin({ user: ada });
    const second = await linkTo(table).linkAtLogin(ada);

    expect(first).toEqual({ outcome: "linked", rowId: "1" });
    expect(second).toEqual({ outcome: "already_linked", rowId: "1" });
    expect(await linksOf(table)).toEqual([ada.id, null, null]);
  });

  test("gives nobody the row of an address that they have not verified", async () => {
    const table = await makeTable(["ada@example.com"]);
    const impostor = person("ada@example.com", { emailVerified: false });

    const result = await linkTo(table).linkAtLogin(impostor);

    expect(result).toEqual({ outcome: "no_row" });
    expect(await linksOf(table)).toEqual([null]);
  });

  test("goes by the external id before the address", async () => {
    const table = await makeTable(["old@example.com", "new@example.com"]);
    const moved = person("new@example.com", { externalId: "1" });

    expect(await linkTo(table).linkAtLogin(moved)).toEqual({ outcome: "linked", rowId: "1" });
  });

  test.each([
    ["bigint", "1e3"],
    ["bigint", "99999999999999999999"],
    ["integer", "2147483648"],
    ["uuid", "1"],
    ["text", "anybody"],
  ])("takes no external id for a %s that is none, such as %s", async (idType, externalId) => {
    const table = await makeTable(["ada@example.com"], { idType });
    const ada = person("ada@example.com", { externalId });

    expect(await linkTo(table).linkAtLogin(ada)).toMatchObject({ outcome: "linked" });
  });

  test("reads external ids with a prefix, or none, where several apps share them", async () => {
    const table = await makeTable(["ada@example.com", "eve@example.com"]);
    const prefixed = createUserLink({ pool, table, externalIdPrefix: "shop:" });
    const without = createUserLink({ pool, table, matchExternalId: false });

    const ofShop = await prefixed.linkAtLogin(person("", { externalId: "shop:1" }));
    const ofBlog = await prefixed.linkAtLogin(person("", { externalId: "blog:2" }));
    const ignored = await without.linkAtLogin(person("", { externalId: "2" }));

    expect(ofShop).toEqual({ outcome: "linked", rowId: "1" });
    expect([ofBlog, ignored]).toEqual([{ outcome: "no_row" }, { outcome: "no_row" }]);
  });

  test("leaves rows alone that share an address, and one that is another User's", async () => {
    const table = await makeTable(["ada@example.com", "ADA@example.com", "eve@example.com"]);
    const link = linkTo(table);

    const ambiguous = await link.linkAtLogin(person("ada@example.com"));
    await link.linkAtLogin(person("eve@example.com"));
    const taken = await link.linkAtLogin(person("eve@example.com"));

    expect(ambiguous).toEqual({ outcome: "ambiguous" });
    expect(taken).toEqual({ outcome: "taken", rowId: "3" });
  });

  test("keeps to names that need quotes, and to nothing else that is in them", async () => {
    const odd = `O'Brien "x"; drop`;
    const quoted = `"${odd.replaceAll('"', '""')}"`;
    await pool.query(`create schema ${quoted}`);
    await pool.query(`create table ${quoted}."User.Accounts" (
      "Id" integer primary key, "E Mail" text, "Auth""Id" uuid)`);
    await pool.query(`insert into ${quoted}."User.Accounts" values (7, 'ada@example.com')`);
    const table = `${quoted}."User.Accounts"`;
    const names = { idColumn: "Id", emailColumn: "E Mail", linkColumn: 'Auth"Id' };

    const result = await createUserLink({ pool, table, ...names }).linkAtLogin(
      person("ada@example.com"),
    );

    expect(result).toEqual({ outcome: "linked", rowId: "7" });
  });

  test("does what it does in the app's transaction, and not before that is committed", async () => {
    const table = await makeTable(["ada@example.com"]);
    const ada = person("ada@example.com");
    const client = await pool.connect();
    await client.query("begin");

    const linked = await linkTo(table).linkAtLogin(ada, client);
    const meanwhile = await linksOf(table);
    await client.query("rollback");
    const undone = await linksOf(table);
    client.release();

    expect(linked).toEqual({ outcome: "linked", rowId: "1" });
    expect([meanwhile, undone]).toEqual([[null], [null]]);
  });

  test("lets one of two first logins insert the row that is missing", async () => {
    const table = await makeTable([]);
    const ada = person("ada@example.com");
    const signIn = async (client: PoolClient): Promise<string> => {
      await client.query("begin");
      const { outcome } = await linkTo(table).linkAtLogin(ada, client);
      if (outcome === "no_row") {
        await client.query(`insert into ${table} select count(*) + 1, $1, $2 from ${table}`, [
          ada.email,
          ada.id,
        ]);
      }
      await client.query("commit");
      return outcome;
    };

    const outcomes = await withClients(8, signIn);

    expect(outcomes.toSorted()).toEqual([...Array(7).fill("already_linked"), "no_row"]);
    expect(await linksOf(table)).toEqual([ada.id]);
  });

  test("links one row once, whoever signs in at the same time", async () => {
    const table = await makeTable(["ada@example.com", "eve@example.com"]);
    const link = linkTo(table);
    // One User is Ada by the external id, the other by the address.
    const users = [person("eve@example.com", { externalId: "1" }), person("ada@example.com")];

    const outcomes = await Promise.all(
      Array.from({ length: 40 }, (_, n) => link.linkAtLogin(users[n % 2] as User)),
    );

    const linked = outcomes.filter(({ outcome }) => outcome === "linked");
    expect(linked).toEqual([{ outcome: "linked", rowId: "1" }]);
    expect((await linksOf(table)).filter((id) => id !== null)).toHaveLength(1);
  });

  test("waits for a login of the same User that is under way, and sees what it did", async () => {
    const table = await makeTable(["ada@example.com"]);
    const ada = person("ada@example.com");
    const client = await pool.connect();
    await client.query("begin");
    await linkTo(table).linkAtLogin(ada, client);

    const second = linkTo(table).linkAtLogin(ada);
    await until(async () => {
      const { rows } = await pool.query(
        "select from pg_locks where locktype = 'advisory' and not granted",
      );
      return rows.length > 0;
    });
    await client.query("commit");
    client.release();

    expect(await second).toEqual({ outcome: "already_linked", rowId: "1" });
  });

  test("makes sure that the mirror has the User to whom the column refers", async () => {
    const table = await makeTable(["ada@example.com"]);
    await pool.query("create table mirror (id uuid primary key)");
    await pool.query(`alter table ${table} add foreign key (auth_user_id) references mirror`);
    const ada = person("ada@example.com");
    const ensureUser = async (id: string) => {
      await pool.query("insert into mirror values ($1)", [id]);
      return ada;
    };

    const result = await createUserLink({ pool, table, mirror: { ensureUser } }).linkAtLogin(ada);

    expect(result).toEqual({ outcome: "linked", rowId: "1" });
  });

  test("needs no right but to read, and to write the one column", async () => {
    const table = await makeTable(["ada@example.com"]);
    const role = `link_app_${randomBytes(6).toString("hex")}`;
    await pool.query(`create role ${role}; grant usage on schema shop to ${role};
      grant select (id, email, auth_user_id), update (auth_user_id) on ${table} to ${role}`);
    const client = await pool.connect();
    await client.query(`set role ${role}`);
    await client.query("begin");

    const result = await linkTo(table).linkAtLogin(person("ada@example.com"), client);
    await client.query(`rollback; reset role; drop owned by ${role}; drop role ${role}`);
    client.release();

    expect(result).toEqual({ outcome: "linked", rowId: "1" });
  });

  test("refuses whom nobody is, and a table that has not such ids", async () => {
    const table = await makeTable([], { idType: "timestamptz" });
    const deleted = person("", { state: UserState.DELETED });

    await expect(linkTo(table).linkAtLogin(deleted)).rejects.toThrow("a User is needed");
    await expect(linkTo(table).linkAtLogin({})).rejects.toThrow("a User is needed");
    await expect(linkTo(table).linkAtLogin(person("a@example.com"))).rejects.toThrow("ids must be");
    expect(() => linkTo("a.b.c")).toThrow("is no table");
  });
});

/** Runs on several connections at once. */
async function withClients<T>(count: number, run: (client: PoolClient) => Promise<T>) {
  const clients = await Promise.all(Array.from({ length: count }, () => pool.connect()));
  try {
    return await Promise.all(clients.map(run));
  } finally {
    for (const client of clients) client.release();
  }
}
