import { createGrpcTransport } from "@connectrpc/connect-node";
import { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { createSignetClient, createUserMirror } from "../../src/client/index.ts";
import { createKey, grpcClients, openSite, signUp, uniqueEmail } from "../support/builders.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { startProgram } from "../support/programs.ts";
import {
  createServiceKeys,
  type ServiceOptions,
  startService,
  type TestService,
} from "../support/service.ts";
import { until } from "../support/waiting.ts";

let database: TestDatabase;
let options: ServiceOptions;
let service: TestService;

beforeAll(async () => {
  database = await openTestDatabase();
  options = { databaseUrl: database.appUrl, keys: createServiceKeys() };
  service = await startService(options);
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

describe("examples/mirror-users.ts", () => {
  test("keeps a table equal to the Site's Users, with a row of the app's for each", async () => {
    const { siteId, backend } = await openNewSite();
    const { user: first } = await backend.users.createUser({ email: uniqueEmail() });
    const app = startProgram(process.execPath, ["examples/mirror-users.ts"], {
      SIGNET_URL: service.url,
      SIGNET_KEY: await syncKey(siteId),
      DATABASE_URL: database.adminUrl,
    });
    try {
      await app.output.waitFor(/snapshot: 1 of 1\n(.*\n)*live\n/, "the snapshot");
      const { userId, email } = await signUp(backend);
      await backend.users.updateUser({ userId, displayName: "Ada" });
      await backend.users.deleteUser({ userId: first?.id ?? "" });
      const rows = await until(async () => {
        const found = await runAsAdmin<{ display_name: string | null; deleted: boolean }>(
          database.adminUrl,
          `select email, display_name, deleted, plan_tier, roles
             from public.users join public.accounts on user_id = id order by id`,
        );
        return found[1]?.display_name === "Ada" && found[0]?.deleted && found;
      });

      expect(rows).toEqual([
        { email: null, display_name: null, deleted: true, plan_tier: "free", roles: [] },
        { email, display_name: "Ada", deleted: false, plan_tier: "free", roles: ["user"] },
      ]);
    } finally {
      await app.stop();
    }
    await app.output.waitFor(/closed/, "its end");
  });
});

describe("a mirror of a running Signet", () => {
  test("holds what a login and a write have answered with, once it was waited for", async () => {
    const { siteId, backend } = await openNewSite();
    await using place = await openMirror(siteId, "own_writes");

    const { userId } = await signUp(backend);
    const { user } = await backend.users.updateUser({ userId, displayName: "Ada" });
    await place.mirror.waitFor({ userId, version: user?.version ?? 0n });
    const { rows } = await place.pool.query("select id, display_name, version from own_writes");

    expect(rows).toEqual([{ id: userId, display_name: "Ada", version: user?.version.toString() }]);
  });

  test("ends up equal after kill -9 of the service amid writes", async () => {
    const { siteId } = await openNewSite();
    await using place = await openMirror(siteId, "after_kill");
    const writes = { count: 0 };

    for (let round = 0; round < 3; round++) {
      const { users } = grpcClients(service.url, service.operatorKey);
      const writing = Array.from({ length: 4 }, async () => {
        for (;;) {
          await users.createUser({ siteId, email: uniqueEmail() });
          writes.count++;
        }
      });
      const ended = Promise.allSettled(writing);
      const goal = writes.count + 50;
      await until(() => writes.count >= goal, 20_000);
      await service.stop("SIGKILL");
      await ended;
      service = await startService({ ...options, port: service.port });
    }
    const expected = await runAsAdmin(
      database.adminUrl,
      `select id, version from signet.users where site_id = '${siteId}' order by id`,
    );
    const { rows } = await until(async () => {
      const present = await place.pool.query("select id, version from after_kill order by id");
      return present.rows.length === expected.length ? present : undefined;
    }, 40_000);

    expect(expected.length).toBeGreaterThanOrEqual(150);
    expect(rows).toEqual(expected);
    await expect
      .poll(() => place.mirror.counters)
      .toMatchObject({ created: expected.length, snapshots: 1 });
  });
});

async function openNewSite() {
  return await openSite(createGrpcTransport({ baseUrl: service.url }), service.operatorKey);
}

function syncKey(siteId: string): Promise<string> {
  const operator = grpcClients(service.url, service.operatorKey);
  return createKey(operator, siteId, { scopes: [Scope.SYNC] });
}

async function openMirror(siteId: string, table: string) {
  const client = createSignetClient({ url: service.url, key: await syncKey(siteId) });
  const pool = new Pool({ connectionString: database.adminUrl });
  const mirror = createUserMirror({ client, pool, table });
  await mirror.waitUntilFilled();
  return {
    mirror,
    pool,
    async [Symbol.asyncDispose]() {
      await mirror.close();
      client.close();
      await pool.end();
    },
  };
}
