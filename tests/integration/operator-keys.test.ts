import { timestampFromDate, timestampMs } from "@bufbuild/protobuf/wkt";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import type { CreateApiKeyResponse } from "../../gen/signet/v1/site_service_pb.ts";
import { WatchStart } from "../../gen/signet/v1/sync_service_pb.ts";
import { AuditActorKind } from "../../gen/signet/v1/user_service_pb.ts";
import {
  type Clients,
  grpcClients,
  openSite,
  refusal,
  type TestSite,
  unique,
} from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { type InnerService, openInnerService } from "../support/inner-service.ts";
import { until } from "../support/waiting.ts";
import { openWatch } from "../support/watch.ts";

const DENIED = { code: "PermissionDenied", reason: "ACCESS_DENIED" };
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

describe("an operator key", () => {
  test("does what the environment's does, and is told apart in the log", async () => {
    const { secret, apiKey } = await newOperatorKey();
    const as = grpcClients(opened.url, secret);
    expect(secret).toMatch(/^sgn_op_/);
    expect(apiKey).toMatchObject({ siteId: "", scopes: [], userFields: [] });

    await as.sites.updateSite({ siteId: site.siteId, name: "By a key" });

    const { events } = await operator.users.listAuditEvents({
      siteId: site.siteId,
      kinds: ["site.updated"],
    });
    expect(events).toMatchObject([
      { actor: { kind: AuditActorKind.OPERATOR_KEY, id: apiKey?.id ?? "" } },
    ]);
    expect(await rowsWith("operator_keys", secret)).toBe(0);
    const used = await until(async () => (await findOperatorKey(apiKey?.id))?.lastUseTime);
    expect(timestampMs(used) % 60_000).toBe(0);
  });

  test("leaves events that concern no Site, in a chain of their own", async () => {
    const { apiKey } = await newOperatorKey();
    await operator.sites.revokeApiKey({ apiKeyId: apiKey?.id ?? "" });
    const list = { withoutSite: true, subjectId: apiKey?.id ?? "" };

    const { events } = await operator.users.listAuditEvents(list);
    const { events: chain } = await operator.users.listAuditEvents({
      withoutSite: true,
      oldestFirst: true,
      pageSize: 500,
    });

    expect(events.map(({ kind, siteId }) => [kind, siteId])).toEqual([
      ["api_key.revoked", ""],
      ["api_key.created", ""],
    ]);
    expect(chain.map(({ link }) => link?.sequence)).toEqual(chain.map((_, n) => BigInt(n + 1)));
    const { users } = site.backend;
    expect(await refusal(users.listAuditEvents({ withoutSite: true }))).toMatchObject(DENIED);
  });

  test("is refused from everything once it is revoked, and its streams end", async () => {
    const { secret, apiKey } = await newOperatorKey();
    const as = grpcClients(opened.url, secret);
    await using watch = openWatch(as, { siteId: site.siteId, start: WatchStart.HEAD });
    await watch.next("hello");

    const { apiKey: revoked } = await operator.sites.revokeApiKey({ apiKeyId: apiKey?.id ?? "" });

    expect(revoked?.revokeTime).toBeDefined();
    expect(await watch.next("goodbye")).toMatchObject({ reason: GoodbyeReason.REAUTHENTICATE });
    expect(await refusal(as.sites.listSites({}))).toMatchObject({ reason: "CREDENTIAL_INVALID" });
    await expect(operator.sites.listSites({})).resolves.toBeDefined();
  });

  test("stops to work when it expires, and its streams end", async () => {
    const expireTime = timestampFromDate(new Date(Date.now() + 2_000));
    const { secret } = await newOperatorKey({ expireTime });
    const as = grpcClients(opened.url, secret);
    await using watch = openWatch(as, { siteId: site.siteId, start: WatchStart.HEAD });
    await watch.next("hello");

    expect(await watch.next("goodbye")).toMatchObject({ reason: GoodbyeReason.REAUTHENTICATE });
    expect(await refusal(as.sites.listSites({}))).toMatchObject({ reason: "CREDENTIAL_INVALID" });
  });

  test("makes no operator key that outlives it", async () => {
    const expireTime = timestampFromDate(new Date(Date.now() + 3_600_000));
    const { secret } = await newOperatorKey({ expireTime });
    const { sites } = grpcClients(opened.url, secret);
    const child = { operator: true, label: "child" };

    expect(await refusal(sites.createApiKey(child))).toMatchObject(DENIED);
    await expect(sites.createApiKey({ ...child, expireTime })).resolves.toBeDefined();
  });

  test("takes neither Site, scopes nor fields, and is none of a Site's keys", async () => {
    const key = { operator: true, label: "ops" };
    const wrong = {
      site_id: { siteId: site.siteId },
      scopes: { scopes: [Scope.AUTH] },
      user_fields: { userFields: ["email"] },
    };
    for (const [field, more] of Object.entries(wrong)) {
      const refused = await refusal(operator.sites.createApiKey({ ...key, ...more }));
      expect(refused).toMatchObject({ reason: "INVALID_FIELD", metadata: { field } });
    }
    const { apiKey } = await newOperatorKey();
    const apiKeyId = apiKey?.id ?? "";
    const { siteId } = site;
    expect(await refusal(operator.sites.revokeApiKey({ siteId, apiKeyId }))).toMatchObject({
      reason: "API_KEY_NOT_FOUND",
    });
    const { apiKeys } = await operator.sites.listApiKeys({ siteId, includeInactive: true });
    expect(apiKeys.map(({ id }) => id)).not.toContain(apiKeyId);
  });

  test("is guessed no better than the environment's", async () => {
    const { secret } = await newOperatorKey();
    const wrong = `${secret.slice(0, -2)}${secret.endsWith("AA") ? "BA" : "AA"}`;

    const refused = await refusal(grpcClients(opened.url, wrong).sites.listSites({}));

    expect(refused).toEqual(await refusal(grpcClients(opened.url, "sgn_op_x").sites.listSites({})));
  });
});

const newOperatorKey = (settings: object = {}): Promise<CreateApiKeyResponse> =>
  operator.sites.createApiKey({ operator: true, label: unique("operator"), ...settings });

const asAdmin = <Row>(statement: string) => runAsAdmin<Row>(opened.database.adminUrl, statement);

async function findOperatorKey(id: string | undefined) {
  const { apiKeys } = await operator.sites.listApiKeys({ operator: true, pageSize: 500 });
  return apiKeys.find((key) => key.id === id);
}

async function rowsWith(table: string, text: string): Promise<number> {
  return (await asAdmin(`select from signet.${table} t where t::text like '%${text}%'`)).length;
}
