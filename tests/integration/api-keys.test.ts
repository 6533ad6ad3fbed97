import { type Timestamp, timestampFromDate, timestampMs } from "@bufbuild/protobuf/wkt";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import type { CreateApiKeyResponse } from "../../gen/signet/v1/site_service_pb.ts";
import { newId } from "../../src/model/id.ts";
import {
  type Clients,
  createKey,
  grpcClients,
  openSite,
  refusal,
  type TestSite,
} from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { type InnerService, openInnerService } from "../support/inner-service.ts";
import { until } from "../support/waiting.ts";

const ADMIN_SCOPES = [Scope.SITE_ADMIN, Scope.USERS_READ];
let opened: InnerService;
let operator: Clients;
let site: TestSite;

beforeAll(async () => {
  opened = await openInnerService();
  ({ operator } = opened);
});

beforeEach(async () => {
  site = await openSite(createGrpcTransport({ baseUrl: opened.url }), opened.operatorKey);
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("a site key", () => {
  test("is shown once, and kept as a hash alone", async () => {
    const request = { label: "backend", scopes: [Scope.SYNC], id: newId() };

    const first = await site.backend.sites.createApiKey(request);
    const again = await site.backend.sites.createApiKey(request);

    expect(first.secret).toMatch(/^sgn_site_[\w-]{64}$/);
    expect(again).toMatchObject({ secret: "", apiKey: { id: request.id, label: "backend" } });
    expect(await rowsWith("api_keys", first.secret)).toBe(0);
    expect(await rowsWith("audit_events", first.secret)).toBe(0);
    const other = { ...request, label: "other" };
    expect(await refusal(site.backend.sites.createApiKey(other))).toMatchObject({
      code: "AlreadyExists",
      reason: "ID_TAKEN",
    });
  });

  test.each([[false], [true]])("is not made to end before it begins: operator %s", async (of) => {
    const expireTime = timestampFromDate(new Date(Date.now() - 1_000));
    const whose = of ? { operator: true } : { siteId: site.siteId, scopes: [Scope.SYNC] };
    const request = { id: newId(), label: "typo", ...whose };

    const made = operator.sites.createApiKey({ ...request, expireTime });

    expect(await refusal(made)).toMatchObject({
      code: "InvalidArgument",
      metadata: { field: "expire_time", problem: "must be in the future" },
    });
    expect((await operator.sites.createApiKey(request)).secret).not.toBe("");
  });

  test("is replaced without a pause: both work until the first is revoked", async () => {
    const first = await newKey({ scopes: ADMIN_SCOPES });
    const second = await newKey({ scopes: ADMIN_SCOPES });
    const as = [first, second].map(({ secret }) => grpcClients(opened.url, secret));
    await Promise.all(as.map(({ sites }) => sites.getSite({})));

    await as[1]?.sites.revokeApiKey({ apiKeyId: first.apiKey?.id ?? "" });

    await until(async () => (await outcome(as[0])) === "CREDENTIAL_INVALID");
    expect(await outcome(as[1])).toBe("OK");
  });

  test("may revoke itself, and revoking twice is no error", async () => {
    const { secret, apiKey } = await newKey({ scopes: ADMIN_SCOPES });
    const own = grpcClients(opened.url, secret);
    const apiKeyId = apiKey?.id ?? "";

    const { apiKey: revoked } = await own.sites.revokeApiKey({ apiKeyId });
    const { apiKey: again } = await site.backend.sites.revokeApiKey({ apiKeyId });

    expect(revoked?.revokeTime).toBeDefined();
    expect(again).toEqual(revoked);
    await until(async () => (await outcome(own)) === "CREDENTIAL_INVALID");
  });

  test("stops to work when it expires", async () => {
    const expireTime = timestampFromDate(new Date(Date.now() + 1_500));
    const { secret } = await newKey({ scopes: ADMIN_SCOPES, expireTime });
    const own = grpcClients(opened.url, secret);

    expect(await outcome(own)).toBe("OK");
    await until(async () => (await outcome(own)) === "CREDENTIAL_INVALID");
    expect(Date.now()).toBeGreaterThanOrEqual(timestampMs(expireTime));
  });

  test("tells when it was last used, to the minute", async () => {
    const { secret, apiKey } = await newKey({ scopes: ADMIN_SCOPES });
    expect(await lastUse(apiKey?.id)).toBeUndefined();
    const beganMs = Date.now();

    await grpcClients(opened.url, secret).sites.getSite({});

    const time = await until(() => lastUse(apiKey?.id));
    expect(timestampMs(time) % 60_000).toBe(0);
    expect(timestampMs(time)).toBeGreaterThan(beganMs - 60_000);
  });

  test("writes its use down once for many calls", async () => {
    const { secret, apiKey } = await newKey({ scopes: ADMIN_SCOPES });
    const own = grpcClients(opened.url, secret);
    await own.sites.getSite({});
    await until(() => lastUse(apiKey?.id));
    const version = await rowVersion(apiKey?.id ?? "");

    await Promise.all(Array.from({ length: 50 }, () => own.sites.getSite({})));
    await newKeyUsed(); // What is noted later is written down later.

    expect(await rowVersion(apiKey?.id ?? "")).toBe(version);
  });

  test.each([
    ["label", { label: "" }],
    ["label", { label: "x".repeat(201) }],
    ["scopes", { scopes: [] }],
    ["scopes", { scopes: [99 as Scope] }],
    ["scopes", { scopes: Array(17).fill(Scope.SYNC) }],
    ["user_fields", { userFields: ["password"] }],
    ["user_fields", { userFields: Array(33).fill("email") }],
    ["id", { id: "not an id" }],
  ])("is refused with a wrong %s", async (field, wrong) => {
    const refused = await refusal(newKey({ scopes: [Scope.SYNC], ...wrong }));

    expect(refused).toMatchObject({ reason: "INVALID_FIELD", metadata: { field } });
  });
});

describe("ListApiKeys", () => {
  test("has the newest first over any pages, and without more only those that work", async () => {
    const made: string[] = [site.key];
    const ids: string[] = [];
    for (let n = 0; n < 6; n += 1) {
      const { apiKey, secret } = await newKey({ scopes: [Scope.SYNC], label: `key ${n}` });
      ids.unshift(apiKey?.id ?? "");
      made.push(secret);
    }
    for (const apiKeyId of ids.slice(0, 4)) await site.backend.sites.revokeApiKey({ apiKeyId });
    const first = (await listKeys({})).at(-1);

    expect(await listKeys({ pageSize: 1 })).toEqual([...ids.slice(4), first]);
    expect(await listKeys({ pageSize: 2, includeInactive: true })).toEqual([...ids, first]);
    const { apiKeys } = await site.backend.sites.listApiKeys({ pageSize: 2 });
    expect(apiKeys).toHaveLength(2);
    expect(
      JSON.stringify(apiKeys, (_, value) => (typeof value === "bigint" ? `${value}` : value)),
    ).not.toMatch(/sgn_/);
  });
});

const newKey = (settings: object): Promise<CreateApiKeyResponse> =>
  operator.sites.createApiKey({ siteId: site.siteId, label: "test", ...settings });

const asAdmin = <Row>(statement: string) => runAsAdmin<Row>(opened.database.adminUrl, statement);

async function outcome(clients: Clients | undefined): Promise<string> {
  const call = clients?.sites.getSite({});
  const isRefused = await call?.then(
    () => false,
    () => true,
  );
  return isRefused ? (await refusal(Promise.resolve(call))).reason : "OK";
}

async function listKeys(request: object): Promise<string[]> {
  const ids: string[] = [];
  let pageToken = "";
  do {
    const page = await site.backend.sites.listApiKeys({ ...request, pageToken });
    ids.push(...page.apiKeys.map(({ id }) => id));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return ids;
}

async function lastUse(id: string | undefined): Promise<Timestamp | undefined> {
  const { apiKeys } = await operator.sites.listApiKeys({ siteId: site.siteId });
  return apiKeys.find((key) => key.id === id)?.lastUseTime;
}

/** Uses a new key, and waits until that is written down. */
async function newKeyUsed(): Promise<void> {
  const id = newId();
  const secret = await createKey(operator, site.siteId, { id });
  await grpcClients(opened.url, secret).sites.getSite({});
  await until(() => lastUse(id));
}

async function rowVersion(id: string): Promise<string | undefined> {
  const rows = await asAdmin<{ xmin: string }>(
    `select xmin::text from signet.api_keys where id = '${id}'`,
  );
  return rows[0]?.xmin;
}

async function rowsWith(table: string, text: string): Promise<number> {
  return (await asAdmin(`select from signet.${table} t where t::text like '%${text}%'`)).length;
}
