import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AuditFilter } from "../../src/model/audit.ts";
import { parseEmailAddress } from "../../src/model/email-address.ts";
import { newId, type SessionId, type SiteId, type UserId } from "../../src/model/id.ts";
import { LIVE_STATES, type UserFilter } from "../../src/model/user-filter.ts";
import { listChain, listEvents } from "../../src/store/audit-lists.ts";
import { findUserChanges, listUserChanges } from "../../src/store/changes.ts";
import { listLeafRows, readDigests } from "../../src/store/digests.ts";
import { findUsedRefreshToken } from "../../src/store/refresh-tokens.ts";
import { endSessionsOfUser, findSession, listLiveSessions } from "../../src/store/sessions.ts";
import { nextUsers } from "../../src/store/site-deletion.ts";
import { hot, type Queryable, sql } from "../../src/store/sql.ts";
import { eraseUserData, putTombstones } from "../../src/store/user-erasure.ts";
import { readExportStretch } from "../../src/store/user-exports.ts";
import { findNamedUsers, updateImports } from "../../src/store/user-imports.ts";
import { listUsers, scanUsers } from "../../src/store/user-lists.ts";
import { findUser, findUsers, listUsersById, lockUser } from "../../src/store/users.ts";
import { createBareSite } from "../support/bare-site.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { growSite } from "../support/grown-site.ts";
import { rejection } from "../support/waiting.ts";

const USERS = 20_000;
const ADDRESS = parseEmailAddress("user19999@example.com", "email");
const NAMES = {
  ids: [newId<UserId>()],
  externalIds: ["x19998", "x19999"],
  emails: ["user19998@example.com", "user19999@example.com"],
  usernames: ["name19998", "name19999"],
};
/** More than any of the look-ups names, and far less than there are. */
const ROWS_MAX = 10;

/** How many Users or other rows a page has, and how many are looked at for it. */
const PAGE = 20;
const SCAN_MAX = 100;
/** A few for each that is looked at, and far less than there are. */
const PAGE_ROWS_MAX = 500;

let database: TestDatabase;
let siteId: SiteId;
/** Halfway through each list. */
let middle: UserId;
/** Some who are next. */
let ids: readonly UserId[];

/** Beside a Site that PostgreSQL knows, one that has grown as large since it last looked. */
beforeAll(async () => {
  database = await openTestDatabase();
  const { adminUrl, db } = database;
  await growSite(adminUrl, await createBareSite(db), USERS);
  await runAsAdmin(adminUrl, "analyze");
  siteId = await createBareSite(db);
  await growSite(adminUrl, siteId, USERS);
  const found = await runAsAdmin<{ readonly id: UserId }>(
    adminUrl,
    `select id from signet.users where site_id = '${siteId}'
      order by id offset ${USERS / 2} limit ${PAGE + 1}`,
  );
  [middle = newId<UserId>(), ...ids] = found.map(({ id }) => id);
});

afterAll(() => database[Symbol.asyncDispose]());

test.each<[string, string, (tx: Queryable) => Promise<unknown>]>([
  ["an address", "users", (tx) => findUser(tx, siteId, { by: "email", email: ADDRESS })],
  ["a username", "users", (tx) => findUser(tx, siteId, { by: "username", username: "name19999" })],
  [
    "an external id",
    "users",
    (tx) => findUser(tx, siteId, { by: "external_id", externalId: "x19999" }),
  ],
  ["an id", "users", (tx) => findUser(tx, siteId, { by: "id", id: newId<UserId>() })],
  ["an id, to change it", "users", (tx) => lockUser(tx, siteId, newId<UserId>())],
  ["several ids", "users", (tx) => findUsers(tx, siteId, [newId<UserId>(), newId<UserId>()])],
  ["the names of an import", "users", (tx) => findNamedUsers(tx, siteId, NAMES)],
  ["a Session", "sessions", (tx) => findSession(tx, siteId, newId<SessionId>())],
  [
    "a refresh token",
    "refresh_tokens",
    (tx) => findUsedRefreshToken(tx, siteId, randomBytes(32), 1_000),
  ],
])("a Site that is new is not read through for %s", async (_, table, find) => {
  const first = await rowsReadBy(find, table);
  const afterAnother = await rowsReadBy(async (tx) => {
    await tx.query(sql`select 1`); // Is planned for its values, and leaves that to no other.
    await find(tx);
  }, table);

  expect(first).toBeLessThan(ROWS_MAX);
  expect(afterAnother).toBeLessThan(ROWS_MAX);
});

test.each<[string, Partial<UserFilter>, string]>([
  ["all of them", {}, ""],
  ["a common role", { role: "member" }, ""],
  ["a rare role", { role: "admin" }, ""],
  ["a rare state", { states: ["disabled"] }, ""],
  ["verified addresses", { emailVerified: true }, ""],
  ["changed since a time", { updateTimeFrom: new Date(0) }, ""],
  ["created since a time", { createTimeFrom: new Date(0) }, new Date().toISOString()],
  ["an address", { prefix: { of: "email", text: "user1" } }, "user15"],
  ["a username", { prefix: { of: "username", text: "name1" } }, "name15"],
])("a Site that is new is not read through for a page of its Users: %s", async (_, wanted, key) => {
  const filter = { states: LIVE_STATES, ...wanted };
  for (const after of [undefined, { id: middle, key }]) {
    const listed = await rowsReadBy((tx) =>
      listUsers(tx, siteId, filter, { after, limit: PAGE, scanMax: SCAN_MAX }),
    );
    const counted = await rowsReadBy((tx) =>
      scanUsers(tx, siteId, filter, { after, scanMax: SCAN_MAX }),
    );

    expect(listed).toBeLessThan(PAGE_ROWS_MAX);
    expect(counted).toBeLessThan(PAGE_ROWS_MAX);
  }
});

test.each<[string, Partial<AuditFilter>]>([
  ["all of them", {}],
  ["a kind", { kinds: ["user.updated"] }],
  ["several kinds", { kinds: ["user.updated", "user.created", "user.deleted"] }],
  ["an actor", { actorId: "key1" as AuditFilter["actorId"] }],
  ["a time", { timeFrom: new Date(0), timeUntil: new Date(2 ** 45) }],
])("a Site that is new is not read through for a page of its audit log: %s", async (_, wanted) => {
  const none = { actorId: undefined, subjectId: undefined };
  const filter = { kinds: [], timeFrom: undefined, timeUntil: undefined, ...none, ...wanted };
  for (const oldestFirst of [false, true]) {
    const page = { after: undefined, oldestFirst, limit: PAGE };
    const rows = await rowsReadBy((tx) => listEvents(tx, siteId, filter, page));

    expect(rows).toBeLessThan(PAGE_ROWS_MAX);
  }
});

const now = new Date();
const BYTES = new Uint8Array();
const PASSWORD = { phc: "$2b$10$", pepperVersion: 1 };

test.each<[string, (tx: Queryable) => Promise<unknown>]>([
  ["a snapshot", (tx) => listUsersById(tx, siteId, { after: middle, limit: PAGE })],
  [
    "an export",
    (tx) => {
      const page = { after: middle, limit: PAGE, scanMax: SCAN_MAX };
      return readExportStretch(tx, siteId, { states: LIVE_STATES }, page);
    },
  ],
  ["digests", (tx) => readDigests(tx, siteId, { after: middle, limit: PAGE })],
  [
    "the Users of leaves",
    (tx) => listLeafRows(tx, siteId, { leaves: [1, 2], after: undefined, limit: PAGE }),
  ],
  ["Changes", (tx) => listUserChanges(tx, siteId, { after: USERS / 2, limit: PAGE })],
  ["some Changes", (tx) => findUserChanges(tx, siteId, [1, USERS / 2])],
  ["the audit chain", (tx) => listChain(tx, siteId, { from: USERS / 2, limit: PAGE })],
  [
    "the Sessions of a User",
    (tx) => {
      const page = { after: undefined, limit: PAGE, now };
      return listLiveSessions(tx, siteId, middle, page);
    },
  ],
  ["the end of Sessions", (tx) => endSessionsOfUser(tx, siteId, middle, now)],
  [
    "whom to delete next",
    (tx) => nextUsers(tx, siteId, { after: middle, limit: PAGE, scanMax: SCAN_MAX }),
  ],
  ["the data of Users who are deleted", (tx) => eraseUserData(tx, siteId, ids, now)],
  [
    "their tombstones",
    (tx) => {
      const tombstones = ids.map((id) => ({ id, version: 2, previousVersion: 1, body: BYTES }));
      return putTombstones(tx, siteId, tombstones, now);
    },
  ],
  [
    "what an import changes",
    async (tx) => {
      const users = await findUsers(tx, siteId, ids);
      const changed = users.map((before) => {
        const after = { ...before, version: 2, displayName: "Ada" };
        return { before, after, password: PASSWORD, kinds: ["user_updated"], body: BYTES } as const;
      });
      await updateImports(tx, siteId, changed, now);
    },
  ],
])("a Site that is new is not read through for %s", async (_, work) => {
  const rows = await rowsReadBy(work);

  expect(rows).toBeLessThan(PAGE_ROWS_MAX);
});

test.each(["users", "user_roles", "sessions", "audit_events"])(
  "a Site that is new is soon known, for the lists of %s",
  async (table) => {
    const [found] = await runAsAdmin<{ readonly threshold: number }>(
      database.adminUrl,
      `select sum(option_value::real * case option_name
                when 'autovacuum_analyze_threshold' then 1
                when 'autovacuum_analyze_scale_factor' then 10000000 else 0 end) as threshold
         from pg_class, pg_options_to_table(reloptions)
        where oid = 'signet.${table}'::regclass`,
    );

    expect(found?.threshold).toBeLessThan(50_000); // Of 10,000,000 rows, in the table's own words.
  },
);

/** How many rows some work reads, found fit or not: of one table, or of all. It leaves nothing. */
async function rowsReadBy(
  work: (tx: Queryable) => Promise<unknown>,
  table?: string,
): Promise<number> {
  let rows = Infinity;
  const undone = new Error("undone");
  const error = await rejection(
    database.db.inSite(siteId, async (tx) => {
      const before = await rowsRead(tx, table);
      await work(tx);
      rows = (await rowsRead(tx, table)) - before;
      throw undone;
    }),
  );
  if (error !== undone) throw error;
  return rows;
}

/** How many the transaction has read until now. */
async function rowsRead(tx: Queryable, table = "%"): Promise<number> {
  const { rows } = await tx.query<{ readonly count: number }>(hot`
    select sum(seq_tup_read + idx_tup_fetch)::integer as count
      from pg_stat_xact_user_tables
     where schemaname = 'signet' and relname like ${table}`);
  return rows[0]?.count ?? Infinity;
}
