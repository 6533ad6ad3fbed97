import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { HealthVerdict, MirrorState } from "../../gen/signet/v1/change_pb.ts";
import {
  createSignetClient,
  createUserMirror,
  type PostgresMirrorOptions,
} from "../../src/client/index.ts";
import type { SiteId } from "../../src/model/id.ts";
import { createKey, grpcClients, openSite, uniqueEmail } from "../support/builders.ts";
import { createChangeGenerator } from "../support/change-generator.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { openMirrorTable } from "../support/mirror-table.ts";
import {
  createServiceKeys,
  type ServiceOptions,
  startService,
  type TestService,
} from "../support/service.ts";
import { until } from "../support/waiting.ts";

const WAIT_MS = 60_000;
/** The smallest that may be set, and so the smallest partition of the log. */
const ROWS_KEPT = 10_000;

let database: TestDatabase;
let options: ServiceOptions;
let service: TestService;

beforeAll(async () => {
  database = await openTestDatabase();
  const env = { SIGNET_CHANGE_RETENTION_DAYS: "0", SIGNET_CHANGE_RETENTION_ROWS: `${ROWS_KEPT}` };
  options = { databaseUrl: database.appUrl, keys: createServiceKeys(), env };
  service = await startService(options);
  await until(async () => {
    const statement = "select partition_rows::integer as rows from signet.change_state";
    const [row] = await runAsAdmin<{ rows: number }>(database.adminUrl, statement);
    return row?.rows === ROWS_KEPT;
  });
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

describe("a mirror of a running Signet", () => {
  test("has the sums of its checkpoints while Users come, change and go", async () => {
    await using place = await openPlace();
    const { siteId, backend } = place;
    await using app = place.open(await place.key());
    await until(() => app.mirror.metrics().sumsEqual);
    const generator = createChangeGenerator(database.db, siteId as SiteId);

    for (let n = 0; n < 60; n++) {
      const id = await generator.create();
      if (n % 2 === 0) await generator.update(id);
      if (n % 3 === 0) await generator.remove(id);
      if (n % 4 === 0) await app.mirror.ensureUser(id);
    }
    const { user } = await backend.users.createUser({ email: uniqueEmail() });
    await app.mirror.waitFor({ userId: user?.id ?? "", version: user?.version ?? 0n });
    const compared = app.mirror.metrics().checkpointsCompared;
    await until(() => app.mirror.metrics().checkpointsCompared > compared + 2);

    expect(app.mirror.metrics()).toMatchObject({ sumsEqual: true, outOfSync: 0 });
    expect(await app.mirror.reconcile({ deep: true })).toMatchObject({
      missing: 0,
      stale: 0,
      extra: 0,
      altered: 0,
      repaired: 0,
      messages: 1,
    });
  });

  test("is listed as live and exact, and the Site's sync is healthy", async () => {
    await using place = await openPlace();
    await place.backend.users.createUser({ email: uniqueEmail() });
    await using app = place.open(await place.key(), { name: "the shop" });
    await app.mirror.waitUntilFilled();
    await app.mirror.reconcile();

    const listed = await until(async () => {
      const { mirrors } = await place.backend.sync.listMirrors({});
      return mirrors.find(({ state, sums }) => state === MirrorState.LIVE && sums);
    });
    const { health } = await place.backend.sync.getSyncHealth({});

    expect(listed).toMatchObject({ name: "the shop", drift: 0n, lagChanges: 0n });
    expect(listed.sums).toMatchObject({ count: 1n });
    expect(health?.verdict).toBe(HealthVerdict.HEALTHY);
  });

  test("finds and repairs what somebody has done to its rows", async () => {
    await using place = await openPlace();
    const generator = createChangeGenerator(database.db, place.siteId as SiteId);
    const [edited, deleted] = await generator.fill(2_000);
    await using app = place.open(await place.key());
    await app.mirror.waitUntilFilled({ timeoutMs: WAIT_MS });
    const { table, pastTheGuard } = place.table;

    await pastTheGuard(`delete from ${table} where id = '${deleted}'`);
    await pastTheGuard(`update ${table} set display_name = 'Mallory' where id = '${edited}'`);
    const report = await app.mirror.reconcile({ deep: true });

    expect(report).toMatchObject({ missing: 1, altered: 1, stale: 0, extra: 0, repaired: 2 });
    expect(report.bytes).toBeLessThan(20_000);
    expect(await place.rows()).toEqual(await place.users());
  });

  test("brings a wider projection to rows that it has, and a narrower one as well", async () => {
    await using place = await openPlace();
    await place.backend.users.createUser({ email: uniqueEmail(), displayName: "Ada" });
    const { admin, table } = place.table;
    const shown = `select email is not null as email, display_name as name from ${table}`;
    const projections = [
      { userFields: ["email"], row: { email: true, name: null } },
      { userFields: [], row: { email: true, name: "Ada" } },
      { userFields: ["display_name"], row: { email: false, name: "Ada" } },
    ];

    for (const { userFields, row } of projections) {
      const scopes = [Scope.SYNC];
      const key = await createKey(place.operator, place.siteId, { scopes, userFields });
      await using app = place.open(key);
      await until(async () => {
        const { rows } = await admin.query(shown);
        return JSON.stringify(rows) === JSON.stringify([row]);
      });
      await until(() => app.mirror.metrics().sumsEqual);
      expect(app.mirror.metrics()).toMatchObject({ snapshots: 1, usersDiffering: 0 });
    }
  });

  test("whose cursor has expired compares itself, and takes no snapshot", {
    timeout: 3 * WAIT_MS,
  }, async () => {
    await using place = await openPlace();
    const generator = createChangeGenerator(database.db, place.siteId as SiteId);
    const [early = ""] = await generator.fill(50);
    const key = await place.key();
    const first = place.open(key);
    await first.mirror.waitUntilFilled({ timeoutMs: WAIT_MS });
    await first[Symbol.asyncDispose]();
    await generator.remove(early as Parameters<typeof generator.remove>[0]);
    await generator.fill(2 * ROWS_KEPT + 100);
    await until(async () => (await place.head()) > 2 * ROWS_KEPT);
    await service.stop();
    service = await startService({ ...options, port: service.port });
    await until(async () => (await place.oldest()) > 60, WAIT_MS);

    await using second = place.open(key);
    await until(() => second.mirror.metrics().sumsEqual, WAIT_MS);

    const { snapshots, usersDiffering, usersRepaired } = second.mirror.metrics();
    expect(snapshots).toBe(0);
    expect(usersRepaired).toBe(usersDiffering);
    expect(usersDiffering).toBe(2 * ROWS_KEPT + 101);
    expect(await place.rows()).toEqual(await place.users());
  });
});

/** A Site, and a table for its Mirrors. */
async function openPlace() {
  const transport = createGrpcTransport({ baseUrl: service.url });
  const { siteId, backend, key } = await openSite(transport, service.operatorKey);
  const operator = grpcClients(service.url, service.operatorKey);
  const table = openMirrorTable();
  const health = async () => (await grpcClients(service.url, key).sync.getSyncHealth({})).health;
  return {
    siteId,
    backend,
    operator,
    table,
    key: () => createKey(operator, siteId, { scopes: [Scope.SYNC] }),
    head: async () => Number((await health())?.head),
    oldest: async () => Number((await health())?.oldestPosition),
    open(mirrorKey: string, more: Partial<PostgresMirrorOptions> = {}) {
      const client = createSignetClient({ url: service.url, key: mirrorKey });
      const mirror = createUserMirror({
        client,
        pool: table.openPool(),
        table: table.table,
        heartbeatSeconds: 1,
        ...more,
      });
      return {
        mirror,
        async [Symbol.asyncDispose]() {
          await mirror.close();
          client.close();
        },
      };
    },
    async rows() {
      const { rows } = await table.admin.query(
        `select id::text, version::text, display_name from ${table.table}
          where not deleted order by id`,
      );
      return rows;
    },
    users: () =>
      runAsAdmin(
        database.adminUrl,
        `select id::text, version::text, display_name from signet.users
          where site_id = '${siteId}' and state <> 'deleted' order by id`,
      ),
    [Symbol.asyncDispose]: () => table[Symbol.asyncDispose](),
  };
}
