import { createGrpcTransport } from "@connectrpc/connect-node";
import * as bcrypt from "bcrypt";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createUserLink } from "../../src/client/index.ts";
import { type AppDatabase, openAppDatabase } from "../support/app-database.ts";
import { logIn, openSite, signUp, type TestSite, uniqueEmail } from "../support/builders.ts";
import { askLink, type LinkApp, openLinkApp } from "../support/link-app.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

const PASSWORD = "four quiet otters swim";

let home: SiteOnService;
let database: AppDatabase;
let hash: string;
let site: TestSite;

beforeAll(async () => {
  [home, database, hash] = await Promise.all([
    openSiteOnService(),
    openAppDatabase(),
    bcrypt.hash(PASSWORD, 4),
  ]);
});

afterAll(async () => {
  await Promise.all([home, database].map((each) => each[Symbol.asyncDispose]()));
});

beforeEach(async () => {
  const { url, operatorKey } = home.service;
  site = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
});

function openApp(): Promise<LinkApp> {
  const environment = { SIGNET_URL: home.service.url, SIGNET_KEY: site.key };
  return openLinkApp({ url: database.url, environment });
}

async function rowsOf({ pool, table }: LinkApp): Promise<unknown[]> {
  return (await pool.query(`select * from ${table} order by id`)).rows;
}

async function isGone(userId: string | null | undefined): Promise<boolean> {
  const { users } = await site.backend.users.batchGetUsers({ userIds: [userId ?? ""] });
  return users[0]?.deleteTime !== undefined;
}

describe("signet link rollback", () => {
  test("leaves the app's database as it was before, and the Users", async () => {
    await using app = await openApp();
    await app.add({ id: "1", email: uniqueEmail(), hash }, { id: "2", email: uniqueEmail() });
    const [columns, rows] = [await app.columns(), await rowsOf(app)];
    await app.link("apply");
    const links = await app.links();

    const undone = await askLink(app, "rollback", "--yes");

    const answer = { unlinked: 2, changed: 0, deleted: 0, kept: 0, columnDropped: true };
    expect(undone).toMatchObject({ exitCode: 0, answer });
    expect([await app.columns(), await rowsOf(app)]).toEqual([columns, rows]);
    expect(await indexesOf(app)).toEqual(["admin_users_pkey"]);
    expect(await isGone(links.get("1"))).toBe(false);
    expect((await app.log()).get("1")).toMatchObject({
      new_link: links.get("1"),
      undo_outcome: "unlinked",
    });
  });

  test("can be followed by another apply, which finds the Users again", async () => {
    await using app = await openApp();
    await app.add({ id: "1", email: uniqueEmail(), hash });
    await app.link("apply");
    const links = await app.links();
    await app.link("rollback", "--yes");
    const userId = links.get("1") ?? "";
    await site.backend.users.updateUser({ userId, email: uniqueEmail(), emailVerified: true });

    const applied = await askLink(app, "apply");

    expect(applied).toMatchObject({ exitCode: 0, answer: { created: 0, matched: 1 } });
    expect(await app.links()).toEqual(links);
  });

  test("deletes the Users that it created, but for those who are in use", async () => {
    await using app = await openApp();
    const emails = [uniqueEmail(), uniqueEmail(), uniqueEmail()];
    await app.add(...emails.map((email, n) => ({ id: `${n + 1}`, email, hash })));
    const before = await signUp(site.backend);
    await app.add({ id: "4", email: before.email });
    await app.link("apply");
    const links = await app.links();
    await logIn(site.backend, emails[1] ?? "", PASSWORD);
    await site.backend.users.updateUser({ userId: links.get("3") ?? "", displayName: "Ada" });

    const undone = await askLink(app, "rollback", "--yes", "--delete-users");
    const log = await app.log();
    const again = await askLink(app, "apply");

    expect(undone).toMatchObject({ exitCode: 0, answer: { unlinked: 4, deleted: 1, kept: 2 } });
    const gone = await Promise.all(["1", "2", "3", "4"].map((id) => isGone(links.get(id))));
    expect(gone).toEqual([true, false, false, false]);
    expect(log.get("2")).toMatchObject({ user_undo_outcome: "kept: has signed in" });
    expect(log.get("3")).toMatchObject({ user_undo_outcome: "kept: altered since" });
    // The next run creates another User for the row whose User is deleted.
    expect(again).toMatchObject({ exitCode: 0, answer: { created: 1, matched: 3 } });
    expect((await app.links()).get("1")).not.toBe(links.get("1"));
    await logIn(site.backend, emails[0] ?? "", PASSWORD);
  });

  test("keeps a column, an index and links that were there before", async () => {
    await using app = await openApp();
    const { pool, table } = app;
    await pool.query(`alter table ${table} add column auth_user_id uuid;
      create unique index own_key on ${table} (auth_user_id)`);
    await app.add({ id: "1", email: uniqueEmail(), hash }, { id: "2", email: uniqueEmail(), hash });
    const own = crypto.randomUUID();
    await pool.query(`update ${table} set auth_user_id = $1 where id = 1`, [own]);
    await app.link("apply");
    const indexes = await indexesOf(app);

    const undone = await askLink(app, "rollback", "--yes");

    expect(undone.answer).toMatchObject({ unlinked: 1, columnDropped: false });
    expect([...(await app.links()).values()]).toEqual([own, null]);
    expect(indexes).toEqual(["admin_users_pkey", "own_key"]);
    expect(await indexesOf(app)).toEqual(indexes);
  });

  test("takes an index away that it has added to a column of the app's", async () => {
    await using app = await openApp();
    await app.pool.query(`alter table ${app.table} add column auth_user_id uuid`);
    await app.link("apply");
    const added = await indexesOf(app);

    await app.link("rollback", "--yes");

    expect(added).toEqual(["admin_users_auth_user_id_key", "admin_users_pkey"]);
    expect(await indexesOf(app)).toEqual(["admin_users_pkey"]);
  });

  test("does nothing where links would be lost that somebody else has made", async () => {
    await using app = await openApp();
    const { pool, table } = app;
    await app.add({ id: "1", email: uniqueEmail(), hash });
    await app.link("apply");
    const late = await signUp(site.backend);
    await app.add({ id: "2", email: late.email });
    const { user } = await site.backend.users.getUser({ userId: late.userId });
    if (!user) throw new Error("there is no such User");
    await createUserLink({ pool, table }).linkAtLogin(user);
    const links = await app.links();

    const refused = await askLink(app, "rollback", "--yes", "--delete-users");
    const after = await app.links();
    const forced = await askLink(app, "rollback", "--yes", "--drop-later-links");

    expect(refused).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("nothing was done: 1 rows were linked by others"),
    });
    expect(after).toEqual(links);
    expect(await isGone(links.get("1"))).toBe(false);
    expect(forced).toMatchObject({ exitCode: 0, answer: { unlinked: 1, columnDropped: true } });
    expect(await app.columns()).not.toContain("auth_user_id");
  });

  test("does nothing where something of the app's stands on the column", async () => {
    await using app = await openApp();
    await app.add({ id: "1", email: uniqueEmail(), hash });
    await app.link("apply");
    const links = await app.links();
    await app.pool.query(`create view ${app.table}_linked as
      select id, auth_user_id from ${app.table}`);

    const refused = await askLink(app, "rollback", "--yes");

    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("depend") });
    expect(await app.links()).toEqual(links);
  });

  test("leaves a row alone whose link is another one by now", async () => {
    await using app = await openApp();
    await app.pool.query(`alter table ${app.table} add column auth_user_id uuid`);
    await app.add({ id: "1", email: uniqueEmail(), hash }, { id: "2", email: uniqueEmail(), hash });
    await app.link("apply");
    const before = await app.links();
    const other = crypto.randomUUID();
    await app.pool.query(`update ${app.table} set auth_user_id = $1 where id = 1`, [other]);

    const undone = await askLink(app, "rollback", "--yes", "--delete-users");

    expect(undone.answer).toMatchObject({ unlinked: 1, changed: 1, deleted: 1 });
    expect([...(await app.links()).values()]).toEqual([other, null]);
    expect(await isGone(before.get("1"))).toBe(false);
  });

  test("asks first, and has nothing to do where nothing was done", async () => {
    await using app = await openApp();
    const nothing = await app.link("rollback", "--yes");
    await app.add({ id: "1", email: uniqueEmail(), hash });
    await app.link("apply");

    const unasked = await app.link("rollback");

    expect(nothing).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("nothing to") });
    expect(unasked).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("--yes") });
    expect((await app.links()).get("1")).not.toBeNull();
  });
});

async function indexesOf({ pool, table }: LinkApp): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select relname::text as name from pg_index join pg_class on pg_class.oid = indexrelid
      where indrelid = $1::regclass and indisvalid`,
    [table],
  );
  return rows.map(({ name }) => name).toSorted();
}
