import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import { WatchStart } from "../../gen/signet/v1/sync_service_pb.ts";
import { parseId, type SiteId } from "../../src/model/id.ts";
import {
  type Clients,
  createKey,
  createSite,
  grpcClients,
  refusalOf,
  signUp,
} from "../support/builders.ts";
import { createChangeGenerator } from "../support/change-generator.ts";
import { openTestDatabase, runAsAdmin } from "../support/database.ts";
import { createServiceKeys, startService } from "../support/service.ts";
import {
  clientsOfBoth,
  openSiteOnTwoProcesses,
  type SiteOnTwoProcesses,
} from "../support/site-on-two-processes.ts";
import { until } from "../support/waiting.ts";
import { openWatch } from "../support/watch.ts";

/** So many that a deletion under way is seen. */
const USERS = 5_000;

let opened: SiteOnTwoProcesses;

beforeAll(async () => {
  opened = await openSiteOnTwoProcesses();
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("what is changed at one process", () => {
  test("is followed by the other", async () => {
    const siteId = await createSite(opened.operator);
    const key = await createKey(opened.operator, siteId);
    const [here, there] = clientsOfBoth(opened.services, key);
    const origin = "https://new-front-end.example.com";
    expect(await isAdmitted(origin)).toBe(false);
    await there.auth.register({ email: "one@example.com", password: "four quiet otters swim" });

    await opened.operator.sites.updateSite({
      siteId,
      origins: { origins: [origin] },
      publicCalls: true,
      selfRegistration: false,
      passwordLengthMin: 64,
    });
    await here.sites.getSite({});

    const email = "two@example.com";
    await until(async () => (await reasonOf(there.auth.register({ email }))) === OFF);
    await until(() => isAdmitted(origin));
  });

  test("is that a site key and an operator key are gone, with their streams", async () => {
    const { operator, services, site } = opened;
    const { siteId } = site;
    const made = [
      await operator.sites.createApiKey({ siteId, label: "x", scopes: [Scope.SYNC] }),
      await operator.sites.createApiKey({ operator: true, label: "x" }),
    ];
    for (const { secret, apiKey } of made) {
      const [, there] = clientsOfBoth(services, secret);
      await using watch = openWatch(there, { siteId, start: WatchStart.HEAD });
      await watch.next("hello");
      const ofSite = apiKey?.siteId ? { siteId } : {};

      await operator.sites.revokeApiKey({ ...ofSite, apiKeyId: apiKey?.id ?? "" });

      expect(await watch.next("goodbye")).toMatchObject({ reason: GoodbyeReason.REAUTHENTICATE });
      await until(async () => (await reasonOf(there.sites.getSite({ siteId }))) === BAD);
    }
  });

  test("is that a Site is deleted, with its tokens, keys, streams and Users", async () => {
    const { operator, services } = opened;
    const siteId = await createSite(operator);
    const key = await createKey(operator, siteId);
    const both = clientsOfBoth(services, key);
    const { accessToken, userId } = await signUp(both[0]);
    await using first = openWatch(both[0], { start: WatchStart.HEAD });
    await using second = openWatch(both[1], { start: WatchStart.HEAD });
    await Promise.all([first.next("hello"), second.next("hello")]);
    for (const { users } of both) await users.getUser({ userId });

    await operator.sites.deleteSite({ siteId });

    const reason = GoodbyeReason.SITE_DELETED;
    expect(await first.next("goodbye")).toMatchObject({ reason });
    expect(await second.next("goodbye")).toMatchObject({ reason });
    for (const credential of [key, accessToken]) {
      for (const { auth } of clientsOfBoth(services, credential)) {
        await until(async () => (await reasonOf(auth.listSessions({ userId }))) === BAD);
      }
    }
    await until(async () => (await reasonOf(operator.sites.deleteSite({ siteId }))) === GONE);
    expect(await livingUsers(opened.database.adminUrl, siteId)).toBe(0);
  });
});

test("a deletion goes on where every process was killed", async () => {
  await using database = await openTestDatabase();
  const options = { databaseUrl: database.appUrl, keys: createServiceKeys() };
  const killed = [await startService(options), await startService(options)];
  const siteId = await createSite(clientsAt(killed[0]));
  await createChangeGenerator(database.db, parseId<SiteId>(siteId, "id")).fill(USERS);
  await clientsAt(killed[0]).sites.deleteSite({ siteId });
  await until(async () => (await livingUsers(database.adminUrl, siteId)) < USERS);

  await Promise.all(killed.map((service) => service.stop("SIGKILL")));
  const left = await livingUsers(database.adminUrl, siteId);
  await using service = await startService(options);
  const operator = clientsAt(service);
  const gone = async () => (await reasonOf(operator.sites.deleteSite({ siteId }))) === GONE;
  await until(gone, 60_000);

  expect(left).toBeGreaterThan(0);
  expect(await livingUsers(database.adminUrl, siteId)).toBe(0);
  const { events } = await operator.users.listAuditEvents({
    siteId,
    kinds: ["user.deleted"],
    pageSize: 500,
  });
  expect(events).toHaveLength(500);
  const rows = await runAsAdmin<{ count: number }>(
    database.adminUrl,
    `select count(*)::int as count from signet.changes
      where site_id = '${siteId}' and kind = 'user_deleted'`,
  );
  expect(rows).toEqual([{ count: USERS }]);
});

const [OFF, BAD, GONE] = ["SELF_REGISTRATION_OFF", "CREDENTIAL_INVALID", "SITE_NOT_FOUND"];

function clientsAt(service: { readonly url: string; readonly operatorKey: string } | undefined) {
  return grpcClients(service?.url ?? "", service?.operatorKey) satisfies Clients;
}

async function reasonOf(call: Promise<unknown>): Promise<string | undefined> {
  return await call.then(
    () => undefined,
    (error: unknown) => refusalOf(error).reason,
  );
}

/** Whether the second process lets browsers on pages of an origin call. */
async function isAdmitted(origin: string): Promise<boolean> {
  const url = `${opened.services[1].url}/signet.v1.AuthService/Login`;
  const headers = { origin, "access-control-request-method": "POST" };
  const answer = await fetch(url, { method: "OPTIONS", headers });
  return answer.headers.get("access-control-allow-origin") === origin;
}

async function livingUsers(adminUrl: string, siteId: string): Promise<number> {
  const rows = await runAsAdmin<{ count: number }>(
    adminUrl,
    `select count(*)::int as count from signet.users
      where site_id = '${siteId}' and state <> 'deleted'`,
  );
  return rows[0]?.count ?? 0;
}
