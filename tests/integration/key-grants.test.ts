import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import type { CreateApiKeyResponse } from "../../gen/signet/v1/site_service_pb.ts";
import {
  type Clients,
  grpcClients,
  logIn,
  openSite,
  refusal,
  signUp,
  type TestSite,
} from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { type InnerService, openInnerService } from "../support/inner-service.ts";

const DENIED = { code: "PermissionDenied", reason: "ACCESS_DENIED" };
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

describe("a site key with site.admin", () => {
  let limited: Clients;
  const soon = timestampFromDate(new Date(Date.now() + 3_600_000));

  beforeEach(async () => {
    const { secret } = await newKey({
      scopes: ADMIN_SCOPES,
      userFields: ["email", "username"],
      expireTime: soon,
    });
    limited = grpcClients(opened.url, secret);
  });

  const within = { label: "child", scopes: [Scope.USERS_READ], userFields: ["email"] };

  test("gives scopes, fields and time that it has itself", async () => {
    const made = await limited.sites.createApiKey({ ...within, expireTime: soon });

    expect(made.apiKey).toMatchObject({ userFields: ["email"], scopes: [Scope.USERS_READ] });
  });

  test.each([
    ["another scope", { scopes: [Scope.USERS_READ, Scope.USERS_WRITE] }],
    ["the tokens of mails", { scopes: [Scope.AUTH_TOKENS] }],
    ["another field", { userFields: ["email", "metadata"] }],
    ["all fields", { userFields: [] }],
    ["a later end", { expireTime: timestampFromDate(new Date(Date.now() + 7_200_000)) }],
    ["no end", { expireTime: undefined as Timestamp | undefined }],
  ])("gives nobody %s", async (_what, more) => {
    const { expireTime, ...wanted } = { ...within, expireTime: soon, ...more };

    const made = limited.sites.createApiKey({ ...wanted, ...(expireTime && { expireTime }) });

    expect(await refusal(made)).toMatchObject(DENIED);
  });

  test("gives a key that sees nothing but ids", async () => {
    const made = await limited.sites.createApiKey({
      ...within,
      userFields: ["id", "version"],
      expireTime: soon,
    });
    const person = await signUp(site.backend);

    const { user } = await grpcClients(opened.url, made.secret).users.getUser({
      userId: person.userId,
    });

    expect(user).toMatchObject({ id: person.userId, email: "", username: "" });
  });

  test("makes no key once it is revoked, though a process may not know it yet", async () => {
    const { secret, apiKey } = await newKey({ scopes: ADMIN_SCOPES });
    const own = grpcClients(opened.url, secret);
    await own.sites.getSite({});
    // Behind the back of the process, which goes on to believe in the key.
    await asAdmin(`update signet.api_keys set revoke_time = now() where id = '${apiKey?.id}'`);

    const believed = await outcome(own);
    const made = own.sites.createApiKey({ label: "late", scopes: [Scope.USERS_READ] });

    expect(await refusal(made)).toMatchObject({ reason: "CREDENTIAL_INVALID" });
    expect(believed).toBe("OK");
  });

  test("neither makes, lists nor revokes operator keys", async () => {
    const { apiKey } = await operator.sites.createApiKey({ operator: true, label: "ops" });
    const apiKeyId = apiKey?.id ?? "";
    const { sites } = site.backend;

    const make = sites.createApiKey({ operator: true, label: "mine" });
    expect(await refusal(make)).toMatchObject(DENIED);
    expect(await refusal(sites.listApiKeys({ operator: true }))).toMatchObject(DENIED);
    expect(await refusal(sites.revokeApiKey({ apiKeyId }))).toMatchObject({
      reason: "API_KEY_NOT_FOUND",
    });
  });
});

describe("an admin of the Site", () => {
  let admin: Clients;
  let person: Awaited<ReturnType<typeof signUp>>;

  beforeEach(async () => {
    person = await signUp(site.backend);
    await site.backend.users.updateUser({ userId: person.userId, roles: { roles: ["admin"] } });
    const { accessToken } = await logIn(site.backend, person.email, person.password);
    admin = grpcClients(opened.url, accessToken);
  });

  test("makes and revokes keys, and the log says so", async () => {
    const { apiKey, secret } = await admin.sites.createApiKey({
      label: "by an admin",
      scopes: [Scope.AUTH, Scope.USERS_WRITE, Scope.SITE_ADMIN],
    });
    await admin.sites.revokeApiKey({ apiKeyId: apiKey?.id ?? "" });

    const { events } = await operator.users.listAuditEvents({
      siteId: site.siteId,
      actorId: person.userId,
      kinds: ["api_key.created", "api_key.revoked"],
    });

    expect(secret).toMatch(/^sgn_site_/);
    expect(events.map(({ kind }) => kind)).toEqual(["api_key.revoked", "api_key.created"]);
    expect(events[0]?.subject).toMatchObject({ kind: "api_key", id: apiKey?.id });
  });

  test.each([[Scope.AUTH_TOKENS], [Scope.PEER]])(
    "gives nobody scope %i, by which a key would be its Users",
    async (scope) => {
      const made = admin.sites.createApiKey({ label: "x", scopes: [Scope.AUTH, scope] });

      expect(await refusal(made)).toMatchObject(DENIED);
    },
  );

  test("has to have logged in recently", async () => {
    const { apiKeys } = await admin.sites.listApiKeys({});
    await asAdmin(
      `update signet.sessions set auth_time = auth_time - interval '1 hour'
        where user_id = '${person.userId}'`,
    );
    const stale = { code: "PermissionDenied", reason: "RECENT_LOGIN_REQUIRED" };
    const apiKeyId = apiKeys[0]?.id ?? "";

    const made = admin.sites.createApiKey({ label: "x", scopes: [Scope.AUTH] });
    expect(await refusal(made)).toMatchObject(stale);
    expect(await refusal(admin.sites.revokeApiKey({ apiKeyId }))).toMatchObject(stale);
    await expect(admin.sites.listApiKeys({})).resolves.toBeDefined();
  });

  test("does nothing of the kind once the role is taken away", async () => {
    await asAdmin(
      // Behind the back of the process, whose token still says so.
      `update signet.credentials set generation = generation + 1
        where user_id = '${person.userId}'`,
    );

    const made = admin.sites.createApiKey({ label: "x", scopes: [Scope.AUTH] });

    expect(await refusal(made)).toMatchObject({ reason: "CREDENTIAL_INVALID" });
    expect(await refusal(admin.sites.updateSite({ name: "x" }))).toMatchObject({
      reason: "CREDENTIAL_INVALID",
    });
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
