import { timestampMs } from "@bufbuild/protobuf/wkt";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { GoodbyeReason, type Revocation } from "../../gen/signet/v1/change_pb.ts";
import {
  type Clients,
  createKey,
  grpcClients,
  openSite,
  refusal,
  refusalOf,
  signUp,
  type TestSite,
} from "../support/builders.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { holdSequencer } from "../support/held-sequencer.ts";
import { openRevocationWatch, type TestRevocationWatch } from "../support/revocation-watch.ts";
import {
  createServiceKeys,
  type ServiceOptions,
  startService,
  type TestService,
} from "../support/service.ts";
import { rejection } from "../support/waiting.ts";

let database: TestDatabase;
let options: ServiceOptions;
let first: TestService;
let second: TestService;
let operator: Clients;
let site: TestSite;

beforeAll(async () => {
  database = await openTestDatabase();
  options = { databaseUrl: database.appUrl, keys: createServiceKeys() };
  [first, second] = await Promise.all([startService(options), startService(options)]);
  operator = grpcClients(first.url, first.operatorKey);
  site = await openNewSite();
});

afterAll(async () => {
  await Promise.all([first, second].map((service) => service[Symbol.asyncDispose]()));
  await database[Symbol.asyncDispose]();
});

describe("a stream of revocations", () => {
  test("brings what has ended before, then a heartbeat, then what ends", async () => {
    const { backend } = await openNewSite();
    const [before, after] = [await signUp(backend), await signUp(backend)];
    await backend.auth.logout({ refreshToken: before.refreshToken });
    const sinceMs = Date.now();
    await using watch = openRevocationWatch(backend);

    const hello = await watch.next("hello");
    const { revocations } = await watch.set();
    await backend.auth.logout({ refreshToken: after.refreshToken });
    const ended = await revocationOf(watch, after.sessionId);
    const heartbeat = await watch.next("heartbeat");

    expect(hello.heartbeatMs).toBe(2_000);
    expect(new Set(sessionsOf(revocations))).toEqual(new Set([before.sessionId]));
    expect(revocations[0]?.subject.value).toMatchObject({ userId: before.userId });
    expect(ended.subject.value).toMatchObject({ userId: after.userId });
    const { revokeTime, expireTime } = ended;
    expect(revokeTime && timestampMs(revokeTime)).toBeGreaterThanOrEqual(sinceMs);
    expect(revokeTime && expireTime && timestampMs(expireTime) - timestampMs(revokeTime)).toBe(
      3_660_000,
    );
    expect(heartbeat.asOf && timestampMs(heartbeat.asOf)).toBeLessThan(Date.now());
  });

  test("tells of a raised generation and a withdrawn key", async () => {
    const { siteId, backend } = await openNewSite();
    const { userId } = await signUp(backend);
    const { apiKey } = await operator.sites.createApiKey({ siteId, label: "x", scopes: [1] });
    await using watch = openRevocationWatch(backend);
    await watch.set();

    await operator.sites.revokeApiKey({ siteId, apiKeyId: apiKey?.id ?? "" });
    const { revocations: ofKey } = await watch.next("revocationBatch");
    await backend.users.deleteUser({ userId });
    const { revocations: ofUser } = await watch.next("revocationBatch");

    expect(ofKey.map(({ subject }) => [subject.case, subject.value])).toMatchObject([
      ["apiKeyWithdrawn", { apiKeyId: apiKey?.id }],
    ]);
    expect(ofUser.map(({ subject }) => [subject.case, subject.value])).toContainEqual([
      "generationRaised",
      expect.objectContaining({ userId, generation: 2n }),
    ]);
  });

  test("resumes after its cursor at the other process, with what was missed alone", async () => {
    const { key, backend } = await openNewSite();
    const there = grpcClients(second.url, key);
    const [early, late] = [await signUp(backend), await signUp(backend)];
    await using watch = openRevocationWatch(backend);
    await watch.set();
    await backend.auth.logout({ refreshToken: early.refreshToken });
    const { cursor } = await watch.next("revocationBatch");
    await watch[Symbol.asyncDispose]();
    await backend.auth.logout({ refreshToken: late.refreshToken });

    await using resumed = openRevocationWatch(there, { cursor });
    await resumed.next("hello");
    const { revocations } = await resumed.next("revocationBatch");

    expect(sessionsOf(revocations)).toEqual([late.sessionId]);
  });

  test("begins with the whole set where a process is younger than its cursor", async () => {
    const { siteId, key, backend } = await openNewSite();
    await insertRevocations(siteId, 1_500);
    await using watch = openRevocationWatch(backend);
    const { cursor } = await watch.set();
    await signUp(backend);
    await using third = await startService(options);

    await using resumed = openRevocationWatch(grpcClients(third.url, key), { cursor });
    const { revocations } = await resumed.set();

    expect(new Set(sessionsOf(revocations)).size).toBe(1_500);
  });

  test("claims to know nothing that it has not brought, while the log cannot be read", async () => {
    const { backend } = await openNewSite();
    const { refreshToken } = await signUp(backend);
    await using watch = openRevocationWatch(backend);
    await watch.set();
    const sequencerHeld = await holdSequencer(database.adminUrl, 3);

    await backend.auth.logout({ refreshToken });
    const known: number[] = [];
    let frame = await watch.nextFrame();
    for (; frame.case === "heartbeat"; frame = await watch.nextFrame()) {
      known.push(frame.value.asOf ? timestampMs(frame.value.asOf) : 0);
    }
    await sequencerHeld.released;

    expect(frame.case).toBe("revocationBatch");
    const revoked = frame.case === "revocationBatch" ? frame.value.revocations : [];
    const revokedMs = revoked.map(({ revokeTime }) => revokeTime && timestampMs(revokeTime))[0];
    expect(Math.max(0, ...known)).toBeLessThan(revokedMs ?? 0);
  });

  test("holds nothing of another Site", async () => {
    const { backend } = await openNewSite();
    await insertRevocations(site.siteId, 3);
    await using watch = openRevocationWatch(backend);
    await watch.set();

    const { refreshToken } = await signUp(site.backend);
    await site.backend.auth.logout({ refreshToken });
    const own = await signUp(backend);
    await backend.auth.logout({ refreshToken: own.refreshToken });
    const { revocations } = await watch.next("revocationBatch");

    expect(sessionsOf(revocations)).toEqual([own.sessionId]);
  });

  test("refuses the cursor of another Site, and one that is none", async () => {
    const { backend } = await openNewSite();
    await using watch = openRevocationWatch(backend);
    const { cursor } = await watch.set();

    for (const bad of [cursor, "bm90IGEgY3Vyc29y"]) {
      await using refused = openRevocationWatch(site.backend, { cursor: bad });
      const error = await rejection(refused.set());
      expect(refusalOf(error)).toMatchObject({ reason: "INVALID_CURSOR" });
    }
  });

  test("needs the scope sync or auth", async () => {
    const outcomes = [Scope.SYNC, Scope.AUTH, Scope.USERS_READ].map(async (scope) => {
      const key = await createKey(operator, site.siteId, { scopes: [scope] });
      await using watch = openRevocationWatch(grpcClients(first.url, key));
      return await watch.next("hello").then(
        () => "hello",
        (error: unknown) => refusalOf(error).reason,
      );
    });

    expect(await Promise.all(outcomes)).toEqual(["hello", "hello", "ACCESS_DENIED"]);
  });

  test("is one of four with the same key and client id", async () => {
    const watches = Array.from({ length: 4 }, () =>
      openRevocationWatch(site.backend, { clientId: "same" }),
    );
    await Promise.all(watches.map((watch) => watch.next("hello")));
    await using fifth = openRevocationWatch(site.backend, { clientId: "same" });
    await using other = openRevocationWatch(site.backend, { clientId: "other" });

    const error = await rejection(fifth.next("hello"));

    expect(refusalOf(error)).toMatchObject({ reason: "TOO_MANY_STREAMS" });
    await expect(other.next("hello")).resolves.toBeDefined();
    await Promise.all(watches.map((watch) => watch[Symbol.asyncDispose]()));
  });

  test("ends with its key, at the other process too", async () => {
    const { siteId } = site;
    const scopes = [Scope.SYNC];
    const { apiKey, secret } = await operator.sites.createApiKey({ siteId, label: "x", scopes });
    await using watch = openRevocationWatch(grpcClients(second.url, secret));
    await watch.set();

    await operator.sites.revokeApiKey({ siteId, apiKeyId: apiKey?.id ?? "" });
    const { reason } = await watch.next("goodbye");

    expect(reason).toBe(GoodbyeReason.REAUTHENTICATE);
  });
});

describe("ListRevocations", () => {
  test("answers page by page, and then with what is new", async () => {
    const { siteId, backend } = await openNewSite();
    await insertRevocations(siteId, 25);
    const { sync } = backend;
    const found: string[] = [];
    const pages: boolean[] = [];
    let cursor = "";
    for (let more = true; more; ) {
      const page = await sync.listRevocations({ cursor, pageSize: 10 });
      found.push(...sessionsOf(page.revocations));
      pages.push(page.asOf !== undefined);
      ({ cursor, more } = page);
    }
    const { refreshToken, sessionId } = await signUp(backend);
    const waiting = sync.listRevocations({ cursor, waitSeconds: 10 });
    await backend.auth.logout({ refreshToken });
    const { revocations, asOf } = await waiting;

    expect(new Set(found).size).toBe(25);
    expect(pages).toEqual([false, false, true]);
    expect(sessionsOf(revocations)).toEqual([sessionId]);
    expect(asOf && Math.abs(Date.now() - timestampMs(asOf))).toBeLessThan(3_000);
  });

  test("waits as long as it is asked where nothing ends", async () => {
    const { sync } = site.backend;
    const { cursor } = await sync.listRevocations({});
    const beginMs = performance.now();

    const { revocations, more } = await sync.listRevocations({ cursor, waitSeconds: 1 });

    expect(revocations).toEqual([]);
    expect(more).toBe(false);
    expect(performance.now() - beginMs).toBeGreaterThan(950);
  });

  test.each([
    ["page_size", { pageSize: 1_001 }],
    ["page_size", { pageSize: -1 }],
    ["wait_seconds", { waitSeconds: 26 }],
    ["client_id", { clientId: "x".repeat(65) }],
  ])("refuses a %s out of range", async (field, request) => {
    expect(await refusal(site.backend.sync.listRevocations(request))).toMatchObject({
      reason: "INVALID_FIELD",
      metadata: { field },
    });
  });
});

function openNewSite(): Promise<TestSite> {
  return openSite(createGrpcTransport({ baseUrl: first.url }), first.operatorKey);
}

function sessionsOf(revocations: readonly Revocation[]): string[] {
  return revocations.flatMap(({ subject }) =>
    subject.case === "sessionEnded" ? [subject.value.sessionId] : [],
  );
}

/** Reads on until a Session has ended; what the set and the log both hold may come twice. */
async function revocationOf(watch: TestRevocationWatch, sessionId: string): Promise<Revocation> {
  for (;;) {
    const { revocations } = await watch.next("revocationBatch");
    const found = revocations.find((each) => sessionsOf([each]).includes(sessionId));
    if (found) return found;
  }
}

/** As many logouts leave behind, long before a process reads the log. */
async function insertRevocations(siteId: string, count: number): Promise<void> {
  await runAsAdmin(
    database.adminUrl,
    `insert into signet.revocations (site_id, kind, subject_id, create_time, expire_time)
     select '${siteId}', 'session_ended', gen_random_uuid(), now(), now() + interval '1 hour'
       from generate_series(1, ${count})`,
  );
}
