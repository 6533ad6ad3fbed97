import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseEmailAddress } from "../../src/model/email-address.ts";
import { newId, type SessionId, type SiteId, type UserId } from "../../src/model/id.ts";
import { findUsedRefreshToken } from "../../src/store/refresh-tokens.ts";
import { findSession } from "../../src/store/sessions.ts";
import { hot, type Queryable } from "../../src/store/sql.ts";
import { findNamedUsers } from "../../src/store/user-imports.ts";
import { findUser, findUsers, lockUser } from "../../src/store/users.ts";
import { createBareSite } from "../support/bare-site.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { fillUsers } from "../support/many-users.ts";

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

let database: TestDatabase;
let siteId: SiteId;

/** Beside a Site that PostgreSQL knows, one that has grown as large since it last looked. */
beforeAll(async () => {
  database = await openTestDatabase();
  const known = await createBareSite(database.db);
  siteId = await createBareSite(database.db);
  await fillUsers(database.adminUrl, { siteId: known, users: USERS });
  await openSessions(known);
  await runAsAdmin(database.adminUrl, "analyze signet.sessions, signet.refresh_tokens");
  await fillUsers(database.adminUrl, { siteId, users: USERS, analyze: false });
  await openSessions(siteId);
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
  ["a refresh token", "refresh_tokens", (tx) => findUsedRefreshToken(tx, siteId, randomBytes(32))],
])("a Site that is new is not read through for %s", async (_, table, find) => {
  const rows = await database.db.inSite(siteId, async (tx) => {
    const before = await rowsRead(tx, table);
    await find(tx);
    return (await rowsRead(tx, table)) - before;
  });

  expect(rows).toBeLessThan(ROWS_MAX);
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

/** How many rows of a table the transaction has read until now, found fit or not. */
async function rowsRead(tx: Queryable, table: string): Promise<number> {
  const { rows } = await tx.query<{ readonly count: number }>(hot`
    select (seq_tup_read + idx_tup_fetch)::integer as count
      from pg_stat_xact_user_tables
     where schemaname = 'signet' and relname = ${table}`);
  return rows[0]?.count ?? Infinity;
}

/** Gives each User a Session with a refresh token, straight into the tables. */
async function openSessions(site: SiteId): Promise<void> {
  await runAsAdmin(
    database.adminUrl,
    `set session_replication_role = replica;
     insert into signet.sessions
            (site_id, id, user_id, audiences, client_ip, client_user_agent, amr, auth_time,
             create_time, last_refresh_time, idle_expire_time, absolute_expire_time)
     select site_id, gen_random_uuid(), id, '{}', '', '', '{}', now(), now(), now(), now(), now()
       from signet.users where site_id = '${site}';
     insert into signet.refresh_tokens (site_id, token_hash, session_id, create_time)
     select site_id, sha256(id::text::bytea), id, now()
       from signet.sessions where site_id = '${site}'`,
  );
}
