import { randomBytes } from "node:crypto";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { createSignetClient, createUserMirror } from "../../src/client/index.ts";
import type { SiteId } from "../../src/model/id.ts";
import { prepareDatabase, withDatabase } from "../../src/store/roles.ts";
import { createKey, grpcClients, openSite, uniqueEmail } from "../support/builders.ts";
import { createChangeGenerator } from "../support/change-generator.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { startMeteredProxy } from "../support/metered-proxy.ts";
import { openMirrorTable } from "../support/mirror-table.ts";
import { createServiceKeys, startService } from "../support/service.ts";
import { until } from "../support/waiting.ts";

const USERS = 20_000;
const WAIT_MS = 60_000;

let database: TestDatabase;

beforeAll(async () => {
  database = await openTestDatabase();
});

afterAll(() => database[Symbol.asyncDispose]());

test("a mirror of a restored Signet ends up identical, by a hundredth of a full copy", {
  timeout: 4 * WAIT_MS,
}, async () => {
  const keys = createServiceKeys();
  const first = await startService({ databaseUrl: database.appUrl, keys });
  const { port, operatorKey } = first;
  const transport = createGrpcTransport({ baseUrl: first.url });
  const { siteId } = await openSite(transport, operatorKey);
  const operator = grpcClients(first.url, operatorKey);
  const key = await createKey(operator, siteId, { scopes: [Scope.SYNC] });
  const ids = await createChangeGenerator(database.db, siteId as SiteId).fill(USERS);
  const [early = "", changed = "", removed = ""] = ids;
  await using proxy = await startMeteredProxy(port);
  await using place = openMirrorTable();
  await using app = openMirror(proxy.url, key, place);
  await app.mirror.waitUntilFilled({ timeoutMs: WAIT_MS });
  const copyBytes = proxy.bytes();
  await first.stop();
  await using backup = await copyDatabase(database);

  const second = await startService({ databaseUrl: database.appUrl, keys, port });
  const { users } = grpcClients(second.url, operatorKey);
  const { user: lost } = await users.createUser({ siteId, email: uniqueEmail() });
  await users.updateUser({ siteId, userId: changed, displayName: "Lost" });
  await users.deleteUser({ siteId, userId: removed });
  const { user: last } = await users.updateUser({ siteId, userId: early, displayName: "Lost" });
  const lastVersion = { userId: early, version: last?.version ?? 0n };
  await app.mirror.waitFor(lastVersion, { timeoutMs: WAIT_MS });
  await second.stop();

  const bytesBefore = proxy.bytes();
  await using restored = await startService({ databaseUrl: backup.appUrl, keys, port });
  const restoredUsers = grpcClients(restored.url, operatorKey).users;
  await restoredUsers.updateUser({ siteId, userId: early, displayName: "Found" });
  const wanted = await runAsAdmin(backup.adminUrl, contentOf("signet.users", siteId));
  const rows = () => place.admin.query(contentOf(place.table, siteId));
  await until(async () => isSame((await rows()).rows, wanted), WAIT_MS);
  await app.mirror.waitUntilFilled({ timeoutMs: WAIT_MS });
  const movedBytes = proxy.bytes() - bytesBefore;
  await until(() => app.mirror.metrics().sumsEqual, WAIT_MS);

  expect(wanted).toHaveLength(USERS);
  expect(wanted).not.toContainEqual(expect.objectContaining({ id: lost?.id }));
  expect(app.mirror.counters.snapshots).toBe(1);
  // The stream may bring the last of the four before the comparison finds it.
  expect([3, 4]).toContain(app.mirror.metrics().usersDiffering);
  expect(movedBytes).toBeLessThan(copyBytes / 100);
});

function openMirror(url: string, key: string, place: ReturnType<typeof openMirrorTable>) {
  const client = createSignetClient({ url, key });
  const { table, openPool } = place;
  const mirror = createUserMirror({ client, pool: openPool(), table, heartbeatSeconds: 1 });
  return {
    mirror,
    async [Symbol.asyncDispose]() {
      await mirror.close();
      client.close();
    },
  };
}

/** Copies a database while nobody uses it, as a dump that is loaded elsewhere would. */
async function copyDatabase(source: TestDatabase) {
  const name = `signet_test_${randomBytes(8).toString("hex")}`;
  const serverUrl = withDatabase(source.adminUrl, "postgres");
  const sourceName = new URL(source.adminUrl).pathname.slice(1);
  await until(async () => {
    await runAsAdmin(
      serverUrl,
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${sourceName}'`,
    );
    await runAsAdmin(serverUrl, `create database ${name} template ${sourceName}`);
    return true;
  });
  const [adminUrl, appUrl] = [source.adminUrl, source.appUrl].map((url) => withDatabase(url, name));
  await prepareDatabase(adminUrl ?? "");
  return {
    adminUrl: adminUrl ?? "",
    appUrl: appUrl ?? "",
    async [Symbol.asyncDispose]() {
      await runAsAdmin(serverUrl, `drop database ${name} with (force)`);
    },
  };
}

function contentOf(table: string, siteId: string): string {
  const isLive = table === "signet.users" ? "state <> 'deleted'" : "not deleted";
  return `select id::text, version::text, display_name from ${table}
           where site_id = '${siteId}' and ${isLive} order by id`;
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
