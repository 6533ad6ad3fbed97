import type { JsonObject } from "@bufbuild/protobuf";
import { status as GrpcStatus, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unique, uniqueEmail } from "../support/builders.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { type GrpcJsStubs, reflectStubs } from "../support/grpc-js-stubs.ts";
import { callJson, getJson, type JsonAnswer } from "../support/json-call.ts";
import { mailTo, type SmtpMailbox, startSmtpMailbox } from "../support/mailbox.ts";
import { startService, type TestService } from "../support/service.ts";
import { until } from "../support/waiting.ts";

/** Clients that share no code with the service; `buf curl` has a test of its own. */

const SERVICES = ["Auth", "Site", "User", "Sync"].map((name) => `signet.v1.${name}Service`);
const SCOPES = ["SCOPE_AUTH", "SCOPE_USERS_READ", "SCOPE_USERS_WRITE", "SCOPE_SYNC"];

let database: TestDatabase;
let mailbox: SmtpMailbox;
let service: TestService;

beforeAll(async () => {
  database = await openTestDatabase();
  mailbox = await startSmtpMailbox();
  const env = { SMTP_URL: mailbox.url, SMTP_FROM: "Signet <signet@example.com>" };
  service = await startService({ databaseUrl: database.appUrl, env });
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await mailbox[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

describe("plain JSON over HTTP/1.1", () => {
  test("does the main job, with mails by SMTP", async () => {
    const domain = `${unique("site")}.example.com`;
    const newSite = { name: "Zürich", domains: [domain], frontendUrl: `https://${domain}` };
    const { site } = await ok(post("SiteService/CreateSite", newSite, service.operatorKey));
    const siteId = (site as JsonObject).id as string;
    const newKey = { siteId, label: "app", scopes: SCOPES };
    const created = await ok(post("SiteService/CreateApiKey", newKey, service.operatorKey));
    const key = created.secret as string;
    const [email, password] = [uniqueEmail(), unique("correct horse")];

    await ok(post("AuthService/Register", { email, password, displayName: "Ada" }, key));
    const mail = await mailTo(() => mailbox.mails, email);
    const verified = await ok(post("AuthService/VerifyEmail", { token: mail.token }, key));
    const { session } = await ok(post("AuthService/Login", { email, password }, key));
    const { tokens } = session as { readonly tokens: Readonly<Record<string, string>> };
    const token = tokens.accessToken ?? "";
    const { valid } = await ok(post("AuthService/ValidateToken", { token }, key));
    const { user } = await ok(post("UserService/LookupUser", { user: { email } }, key));
    const next = await ok(
      post("AuthService/RefreshToken", { refreshToken: tokens.refreshToken }, key),
    );
    await ok(post("AuthService/Logout", {}, token));
    const again = await until(async () => {
      const answer = await post("AuthService/Logout", {}, token);
      return answer.status !== 200 && answer;
    }, 1_000);

    expect(verified.redirectUrl).toBe(`https://${domain}/`);
    expect(valid).toMatchObject({ userId: verified.userId, siteId, roles: ["user"] });
    expect(user).toMatchObject({ email, displayName: "Ada", emailVerified: true });
    expect(user).not.toHaveProperty("passwordHash");
    expect(next.sessionId).toBe((valid as JsonObject).sessionId);
    expect(again).toMatchObject({ status: 401, json: { code: "unauthenticated" } });
  });

  test("reaches what has no side effects by GET", async () => {
    const domain = `${unique("site")}.example.com`;
    const newSite = { name: "Public", domains: [domain], frontendUrl: `https://${domain}` };
    await ok(post("SiteService/CreateSite", newSite, service.operatorKey));

    const found = await getJson(service.url, "signet.v1.SiteService/GetSiteByDomain", { domain });
    const other = await getJson(service.url, "signet.v1.SiteService/GetSite", {});

    expect(found.status).toBe(200);
    expect(found.json.site).toMatchObject({ name: "Public" });
    expect(found.json.site).not.toHaveProperty("redirectUrls");
    expect(other.status).toBe(405);
  });

  test("tells code, reason and field of a refusal", async () => {
    const { status, json } = await post("SiteService/CreateSite", {}, service.operatorKey);

    expect(status).toBe(400);
    expect(json).toMatchObject({
      code: "invalid_argument",
      message: "name is required",
      details: [
        {
          type: "signet.v1.ErrorDetail",
          debug: {
            reason: "ERROR_REASON_INVALID_FIELD",
            metadata: { field: "name", problem: "is required" },
          },
        },
      ],
    });
  });

  test("refuses what is not JSON, and fields that no message has", async () => {
    const path = "SiteService/CreateSite";
    const answers = [
      await post(path, { nmae: "misspelt" }, service.operatorKey),
      await post(path, { name: 7 }, service.operatorKey),
      await post(path, [], service.operatorKey),
    ];

    for (const { status, json } of answers) {
      expect(status).toBe(400);
      expect(json.code).toBe("invalid_argument");
      expect(JSON.stringify(json)).not.toMatch(/\.ts|node_modules/);
    }
  });
});

describe("grpc-js with stubs made from reflection", () => {
  let stubs: GrpcJsStubs;

  beforeAll(async () => {
    const address = new URL(service.url).host;
    stubs = await reflectStubs(address, SERVICES, service.operatorKey);
  });

  afterAll(() => stubs.close());

  test("does the main job, unary calls and a stream", async () => {
    const domain = `${unique("site")}.example.com`;
    const newSite = { name: "gRPC", domains: [domain], frontendUrl: `https://${domain}` };
    const { site } = await stubs.unary("signet.v1.SiteService", "CreateSite", newSite);
    const siteId = (site as JsonObject).id as string;
    const stream = stubs.stream("signet.v1.SyncService", "WatchUsers", { siteId });
    const frames = stream[Symbol.asyncIterator]();
    const hello: JsonObject = (await frames.next()).value;
    const end: JsonObject = (await frames.next()).value;

    const email = uniqueEmail();
    const { user } = await stubs.unary("signet.v1.UserService", "CreateUser", { siteId, email });
    let batch: { changeBatch?: { changes: JsonObject[] } } = {};
    while (!batch.changeBatch) batch = (await frames.next()).value; // A checkpoint may come first.
    stream.on("error", () => undefined); // It was cancelled.
    stream.cancel();

    expect(hello).toMatchObject({ hello: { siteId, snapshot: true } });
    expect(end).toHaveProperty("snapshotEnd");
    expect(batch.changeBatch.changes[0]).toMatchObject({ user, kind: "CHANGE_KIND_CREATED" });
  });

  test("gets status and details of a refusal", async () => {
    const call = stubs.unary("signet.v1.UserService", "CreateUser", { email: "a@b.example" });
    const error = (await call.catch((reason: unknown) => reason)) as ServiceError;

    expect(error.code).toBe(GrpcStatus.INVALID_ARGUMENT);
    expect(error.details).toMatch(/^site_id /);
    const [details] = error.metadata.get("grpc-status-details-bin");
    expect(details?.toString()).toContain("signet.v1.ErrorDetail");
  });
});

function post(path: string, message: unknown, credential: string): Promise<JsonAnswer> {
  return callJson(service.url, `signet.v1.${path}`, message, credential);
}

async function ok(call: Promise<JsonAnswer>): Promise<JsonAnswer["json"]> {
  const { status, body, json } = await call;
  expect(status, body).toBe(200);
  return json;
}
