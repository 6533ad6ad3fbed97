import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Clients,
  clientsOf,
  createKey,
  grpcClients,
  openSite,
  refusal,
  type SignedIn,
  signUp,
  type TestSite,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { startService, type TestService } from "../support/service.ts";
import { rejection } from "../support/waiting.ts";
import { openWatch } from "../support/watch.ts";

let database: TestDatabase;
let service: TestService;
let home: TestSite;
let foreign: TestSite;
/** A User of the other Site. */
let stranger: SignedIn;

beforeAll(async () => {
  database = await openTestDatabase();
  service = await startService({ databaseUrl: database.appUrl });
  const transport = createGrpcTransport({ baseUrl: service.url });
  [home, foreign] = await Promise.all([
    openSite(transport, service.operatorKey),
    openSite(transport, service.operatorKey),
  ]);
  stranger = await signUp(foreign.backend);
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

describe("an object of another Site", () => {
  const calls: readonly (readonly [string, (as: Clients, id: string) => Promise<unknown>])[] = [
    ["GetUser", ({ users }, userId) => users.getUser({ userId })],
    [
      "LookupUser",
      ({ users }, value) => users.lookupUser({ user: { ref: { case: "id", value } } }),
    ],
    ["UpdateUser", ({ users }, userId) => users.updateUser({ userId, displayName: "x" })],
    [
      "UpdateUser at a version",
      ({ users }, userId) => users.updateUser({ userId, expectedVersion: 99n }),
    ],
    ["DeleteUser", ({ users }, userId) => users.deleteUser({ userId })],
  ];

  test.each(calls)("looks to %s as if there were none", async (_name, call) => {
    const refused = await refusal(call(home.backend, stranger.userId));

    expect(refused).toMatchObject({ code: "NotFound", reason: "USER_NOT_FOUND" });
    expect(refused).toEqual(await refusal(call(home.backend, randomUUID())));
  });

  test("is missing from BatchGetUsers, as an id of nobody is", async () => {
    const userIds = [stranger.userId, randomUUID()];

    const { users, missingIds } = await home.backend.users.batchGetUsers({ userIds });

    expect(users).toEqual([]);
    expect(missingIds).toEqual(userIds);
  });

  test("is not found by its address, and the address is free here", async () => {
    const ref = { case: "email", value: stranger.email } as const;
    const refused = await refusal(home.backend.users.lookupUser({ user: { ref } }));
    const { user } = await home.backend.users.createUser({ email: stranger.email });

    expect(refused).toMatchObject({ reason: "USER_NOT_FOUND" });
    expect(user?.siteId).toBe(home.siteId);
  });

  test("looks to RevokeApiKey as if there were none", async () => {
    const { apiKeys } = await foreign.backend.sites.listApiKeys({});
    const revoke = (apiKeyId: string) => refusal(home.backend.sites.revokeApiKey({ apiKeyId }));

    const refused = await revoke(apiKeys[0]?.id ?? "");

    expect(refused).toMatchObject({ code: "NotFound", reason: "API_KEY_NOT_FOUND" });
    expect(refused).toEqual(await revoke(randomUUID()));
    await expect(foreign.backend.sites.getSite({})).resolves.toBeDefined();
  });

  test("has an id that may be used here too, without any effect there", async () => {
    const { userId, accessToken } = await signUp(foreign.backend);
    const own = { userId, roles: { roles: ["editor"] } };

    await home.backend.users.createUser({ id: userId, email: uniqueEmail() });
    await home.backend.users.updateUser(own);
    await home.backend.users.deleteUser({ userId });
    await sleep(500); // Both Revocations are known by then.
    const { result } = await foreign.backend.auth.validateToken({ token: accessToken });
    const { user } = await foreign.backend.users.getUser({ userId });

    expect(result.case).toBe("valid");
    expect(user).toMatchObject({ id: userId, siteId: foreign.siteId, roles: ["user"] });
  });

  test("has page tokens that are none here", async () => {
    const operator = grpcClients(service.url, service.operatorKey);
    await createKey(operator, foreign.siteId);
    const { nextPageToken } = await foreign.backend.sites.listApiKeys({ pageSize: 1 });
    const list = (pageToken: string) =>
      refusal(home.backend.sites.listApiKeys({ pageSize: 1, pageToken }));

    const refused = await list(nextPageToken);

    expect(nextPageToken).not.toBe("");
    expect(refused).toMatchObject({ code: "InvalidArgument", reason: "INVALID_PAGE_TOKEN" });
    expect(refused).toEqual(await list("bm90IGEgdG9rZW4"));
  });

  test("has tokens that are worth nothing here, and stay good there", async () => {
    const { accessToken, refreshToken } = stranger;
    const { result } = await home.backend.auth.validateToken({ token: accessToken });
    const { result: forged } = await home.backend.auth.validateToken({ token: "x.y.z" });
    const refused = await refusal(home.backend.auth.refreshToken({ refreshToken }));
    await home.backend.auth.logout({ refreshToken });
    const { result: there } = await foreign.backend.auth.validateToken({ token: accessToken });

    expect(result).toEqual(forged);
    expect(refused).toMatchObject({ reason: "REFRESH_TOKEN_INVALID" });
    expect(there.case).toBe("valid");
  });
});

describe("the name of another Site in a request", () => {
  const calls: readonly (readonly [string, (as: Clients, siteId: string) => Promise<unknown>])[] = [
    ["Register", ({ auth }, siteId) => auth.register({ siteId, email: uniqueEmail() })],
    ["VerifyEmail", ({ auth }, siteId) => auth.verifyEmail({ siteId, token: "x" })],
    [
      "Login",
      ({ auth }, siteId) =>
        auth.login({ siteId, identifier: { case: "email", value: "a@b.example" }, password: "x" }),
    ],
    ["RefreshToken", ({ auth }, siteId) => auth.refreshToken({ siteId, refreshToken: "x" })],
    ["Logout", ({ auth }, siteId) => auth.logout({ siteId, refreshToken: "x" })],
    ["ValidateToken", ({ auth }, siteId) => auth.validateToken({ siteId, token: "x" })],
    ["GetSite", ({ sites }, siteId) => sites.getSite({ siteId })],
    [
      "CreateApiKey",
      ({ sites }, siteId) => sites.createApiKey({ siteId, label: "x", scopes: [1] }),
    ],
    ["ListApiKeys", ({ sites }, siteId) => sites.listApiKeys({ siteId })],
    ["RevokeApiKey", ({ sites }, siteId) => sites.revokeApiKey({ siteId, apiKeyId: randomUUID() })],
    ["CreateUser", ({ users }, siteId) => users.createUser({ siteId, email: uniqueEmail() })],
    ["GetUser", ({ users }, siteId) => users.getUser({ siteId, userId: stranger.userId })],
    [
      "LookupUser",
      ({ users }, siteId) =>
        users.lookupUser({ siteId, user: { ref: { case: "email", value: stranger.email } } }),
    ],
    [
      "BatchGetUsers",
      ({ users }, siteId) => users.batchGetUsers({ siteId, userIds: [stranger.userId] }),
    ],
    ["UpdateUser", ({ users }, siteId) => users.updateUser({ siteId, userId: stranger.userId })],
    ["DeleteUser", ({ users }, siteId) => users.deleteUser({ siteId, userId: stranger.userId })],
    ["WatchUsers", (clients, siteId) => openWatch(clients, { siteId }).next("hello")],
  ];

  test.each(calls)("is to %s as the name of none", async (_name, call) => {
    const refused = await refusal(call(home.backend, foreign.siteId));

    expect(refused).toMatchObject({ code: "NotFound", reason: "SITE_NOT_FOUND" });
    expect(refused).toEqual(await refusal(call(home.backend, randomUUID())));
  });
});

describe("an admin", () => {
  test("acts within its Site only", async () => {
    const admin = await signUp(foreign.backend);
    const roles = { roles: ["admin"] };
    await foreign.backend.users.updateUser({ userId: admin.userId, roles });
    const { refreshToken } = admin;
    const { tokens } = await foreign.backend.auth.refreshToken({ refreshToken });
    const transport = createGrpcTransport({ baseUrl: service.url });
    const as = clientsOf(transport, tokens?.accessToken ?? "");
    const { user } = await home.backend.users.createUser({ email: uniqueEmail() });

    const found = await as.users.getUser({ userId: stranger.userId });
    const refused = await refusal(as.users.getUser({ userId: user?.id ?? "" }));

    expect(found.user?.id).toBe(stranger.userId);
    expect(refused).toMatchObject({ reason: "USER_NOT_FOUND" });
  });
});

describe("the application role of the database", () => {
  test("reads no table of Sites without naming a Site", async () => {
    await using role = await connectAsRole();
    for (const table of await siteTables()) {
      const error = await rejection(role.query(`select * from signet.${table}`));
      // Some it may not read at all.
      expect(String(error), table).toMatch(/unrecognized configuration|permission denied/);
    }
  });

  test("sees and changes nothing of another Site than the one it names", async () => {
    await using role = await connectAsRole();
    const column = (table: string) => (table === "sites" ? "id" : "site_id");
    await role.query(`select set_config('signet.site_id', '${home.siteId}', false)`);
    for (const table of await siteTables()) {
      const where = `${column(table)} = '${foreign.siteId}'`;
      const read = role.query(`select from signet.${table} where ${where}`);
      const rows = await read.then(({ rowCount }) => rowCount, permissionDenied);
      const write = `update signet.${table} set ${column(table)} = ${column(table)} where ${where}`;
      const changed = await role.query(write).then(({ rowCount }) => rowCount, permissionDenied);
      const gone = await role
        .query(`delete from signet.${table} where ${where}`)
        .then(({ rowCount }) => rowCount, permissionDenied);

      expect([table, rows, changed, gone]).toEqual([table, 0, 0, 0]);
    }
    const own = await role.query("select from signet.users");
    expect(own.rowCount).toBeGreaterThan(0);
  });

  test("moves no row to another Site, and makes none there", async () => {
    await using role = await connectAsRole();
    await role.query(`select set_config('signet.site_id', '${home.siteId}', false)`);
    const moved = rejection(role.query(`update signet.api_keys set site_id = '${foreign.siteId}'`));
    expect(String(await moved)).toMatch(/row-level security/);
    const made = rejection(
      role.query(`insert into signet.site_domains (domain, site_id, ordinal)
                  values ('${unique("d")}.example', '${foreign.siteId}', 9)`),
    );
    expect(String(await made)).toMatch(/row-level security/);
  });

  test("changes no User without a row in the outbox or a higher version", async () => {
    await home.backend.users.createUser({ email: uniqueEmail() });
    await using role = await connectAsRole();
    await role.query(`select set_config('signet.site_id', '${home.siteId}', false)`);
    const forgotten = `update signet.users set display_name = 'x', version = version + 1${ACTIVE}`;
    const unversioned = `update signet.users set display_name = 'x'${ACTIVE}`;

    expect(String(await rejection(role.query(forgotten)))).toMatch(
      /without a row in change_outbox/,
    );
    expect(String(await rejection(role.query(unversioned)))).toMatch(/without a higher version/);
  });
});

const ACTIVE = " where state = 'active'";

/** Every table that holds rows of Sites, also one that a later migration adds. */
async function siteTables(): Promise<string[]> {
  const rows = await runAsAdmin<{ name: string }>(
    database.adminUrl,
    `select c.relname as name from pg_class c
      where c.relnamespace = 'signet'::regnamespace and c.relkind in ('r', 'p')
        and not c.relispartition
        and (c.relname = 'sites' or exists (
              select from pg_attribute a
               where a.attrelid = c.oid and a.attname = 'site_id' and not a.attisdropped))
      order by 1`,
  );
  expect(rows.length).toBeGreaterThan(10);
  return rows.map(({ name }) => name);
}

async function connectAsRole(): Promise<Client & AsyncDisposable> {
  const client = new Client({ connectionString: database.appUrl });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

function permissionDenied(error: unknown): 0 {
  expect(String(error)).toMatch(/permission denied/);
  return 0;
}
