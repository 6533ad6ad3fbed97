import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/store/embedded-postgres.ts";
import { ensureDatabase, prepareRoles, type RoleUrls } from "../../src/store/roles.ts";
import {
  grpcClients,
  openSite,
  refusal,
  signUp,
  type TestSite,
  uniqueEmail,
} from "../support/builders.ts";
import { openTestFolder, silentLog, testPostgresVersion } from "../support/postgres.ts";
import { startService, type TestService } from "../support/service.ts";
import { until } from "../support/waiting.ts";
import { openWatch } from "../support/watch.ts";

/** The tests are one story: the database is away at start, comes, goes, and comes back. */

const RECOVERY_MS_MAX = 15_000;

let folder: string;
let postgres: EmbeddedPostgres;
let urls: RoleUrls;
let service: TestService;
let site: TestSite;

beforeAll(async () => {
  folder = await openTestFolder();
  postgres = await launch();
  urls = await prepareRoles(await ensureDatabase(postgres.adminUrl, "signet"));
  await postgres.stop();
  service = await startService({
    databaseUrl: urls.url,
    env: { DATABASE_OWNER_URL: urls.ownerUrl },
    ready: false,
  });
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await postgres.stop();
  await rm(folder, { recursive: true });
});

describe("a database that is away at start", () => {
  test("leaves the service alive, not ready, and saying what is missing", async () => {
    await until(() => service.stderr().includes("trying again every second"));
    const alive = await fetch(`${service.url}/healthz`);
    const ready = await fetch(`${service.url}/readyz`);

    expect(alive.status).toBe(200);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toEqual({
      status: "not_ready",
      missing: ["database", "migrations", "reader"],
    });
    expect(service.exitCode()).toBeUndefined();
  });

  test("makes calls UNAVAILABLE, with a delay after which to try again", async () => {
    const operator = grpcClients(service.url, service.operatorKey);
    const refusals = await Promise.all([
      refusal(operator.sites.getSiteByDomain({ domain: "demo.example" })),
      refusal(operator.sites.createSite({ name: "Test", frontendUrl: "https://a.example" })),
      refusal(openWatch(operator).next("hello")),
    ]);

    for (const refused of refusals) {
      expect(refused).toMatchObject({ code: "Unavailable", reason: "UNAVAILABLE" });
      expect(refused.retryDelayMs).toBeGreaterThan(0);
    }
  });

  test("is migrated and used as soon as it appears", async () => {
    postgres = await launch();
    await until(isReady, RECOVERY_MS_MAX);

    site = await openSite(createGrpcTransport({ baseUrl: service.url }), service.operatorKey);
    const { email, userId } = await signUp(site.backend);
    expect((await site.backend.users.getUser({ userId })).user).toMatchObject({ email });
  });
});

describe("a database that goes and comes back", () => {
  test("loses nothing: streams go on, and calls are UNAVAILABLE meanwhile", async () => {
    const { backend } = site;
    const { accessToken } = await signUp(backend);
    await using watch = openWatch(backend, { heartbeatSeconds: 1 }, 40_000);
    await watch.next("hello");
    await watch.next("snapshotPage");
    await watch.next("snapshotEnd");
    await watch.next("checkpoint"); // From here on it needs no database, until something changes.

    await postgres.stop();
    await until(async () => !(await isReady()));
    const missing: unknown = await (await fetch(`${service.url}/readyz`)).json();
    const attempts = Array.from({ length: 5 }, uniqueEmail);
    const refusals = await Promise.all([
      ...attempts.map((email) => refusal(backend.users.createUser({ email }))),
      refusal(openWatch(backend).next("hello")),
      // What it knows of Revocations counts for less than a second; then it must not guess.
      until(() => refusal(backend.auth.validateToken({ token: accessToken })), 2_000),
    ]);
    const alive = await fetch(`${service.url}/healthz`);
    postgres = await launch();
    await until(isReady, RECOVERY_MS_MAX);

    const email = uniqueEmail();
    const { user } = await backend.users.createUser({ email });
    const { changes } = await watch.next("changeBatch");
    const { result } = await backend.auth.validateToken({ token: accessToken });

    expect(missing).toMatchObject({ missing: ["database", "reader"] });
    expect(alive.status).toBe(200);
    for (const refused of refusals) {
      expect(refused).toMatchObject({ code: "Unavailable", reason: "UNAVAILABLE" });
      expect(refused.retryDelayMs).toBeGreaterThan(0);
    }
    expect(changes.map((change) => change.user)).toEqual([user]);
    expect(result.case).toBe("valid");
    for (const attempted of attempts) {
      const ref = { case: "email", value: attempted } as const;
      expect(await refusal(backend.users.lookupUser({ user: { ref } }))).toMatchObject({
        reason: "USER_NOT_FOUND",
      });
    }
  });

  test("under writers, keeps every write that was answered, once and in order", async () => {
    const { backend } = site;
    await using watch = openWatch(backend, { heartbeatSeconds: 1 }, 40_000);
    const { head } = await watch.next("hello");
    await watch.next("snapshotPage");
    await watch.next("snapshotEnd");
    const answered = new Set<string>();
    let writing = true;
    const writers = Array.from({ length: 4 }, async () => {
      while (writing) {
        const created = await backend.users.createUser({ email: uniqueEmail() }).catch(() => {});
        if (created?.user) answered.add(created.user.id);
      }
    });
    await until(() => answered.size > 50, RECOVERY_MS_MAX);

    await postgres.stop();
    await until(async () => !(await isReady()));
    postgres = await launch();
    const before = answered.size;
    await until(() => answered.size > before + 50, RECOVERY_MS_MAX);
    writing = false;
    await Promise.all(writers);

    const seen = new Map<string, number>();
    let position = head;
    while (![...answered].every((id) => seen.has(id))) {
      const batch = await watch.next("changeBatch");
      expect(batch.previousPosition).toBe(position);
      for (const { user } of batch.changes) {
        seen.set(user?.id ?? "", (seen.get(user?.id ?? "") ?? 0) + 1);
      }
      position = batch.position;
    }
    expect(service.exitCode()).toBeUndefined();
    expect([...seen.values()].every((times) => times === 1)).toBe(true);
  });
});

function launch(): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({
    dataDir: join(folder, "data"),
    log: silentLog,
    version: testPostgresVersion(),
    durable: false,
  });
}

async function isReady(): Promise<boolean> {
  return (await fetch(`${service.url}/readyz`)).ok;
}
