import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GetSiteByDomainRequestSchema } from "../../gen/signet/v1/site_service_pb.ts";
import { createSite, grpcClients } from "../support/builders.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { envelope } from "../support/edge-calls.ts";
import { getJson } from "../support/json-call.ts";
import { callRawStream } from "../support/raw-stream-call.ts";
import { createServiceKeys, startService, type TestService } from "../support/service.ts";

const RPC = "/signet.v1.SiteService/GetSiteByDomain";
const STREAM = "/signet.v1.SyncService/WatchUsers";
const ORIGIN = "https://app.example.com";
const DOMAIN = "app.example.com";
const STRICT = "max-age=31536000";
const keys = createServiceKeys();

let database: TestDatabase;
let service: TestService;
let plain: TestService;
let wide: TestService;
let siteId: string;

beforeAll(async () => {
  database = await openTestDatabase();
  const base = { databaseUrl: database.appUrl, keys };
  const [id, local] = ["https://id.signet.test", "http://id.signet.test"];
  service = await startService({ ...base, env: { SIGNET_PUBLIC_URL: id } });
  plain = await startService({ ...base, env: { SIGNET_PUBLIC_URL: local } });
  const subdomains = { SIGNET_HSTS_SUBDOMAINS: "true" };
  wide = await startService({ ...base, env: { SIGNET_PUBLIC_URL: id, ...subdomains } });
  const operator = grpcClients(service.url, service.operatorKey);
  const settings = { domains: [DOMAIN], publicCalls: true, origins: [ORIGIN] };
  siteId = await createSite(operator, settings);
});

afterAll(async () => {
  for (const each of [service, plain, wide, database]) await each?.[Symbol.asyncDispose]();
});

describe("a browser is told to believe the type of", () => {
  test.each([
    ["JSON", RPC, "application/json", () => JSON.stringify({ domain: DOMAIN }), 200],
    ["a refusal in JSON", RPC, "application/json", () => "{}", 400],
    ["no JSON at all", RPC, "application/json", () => "<html>", 400],
    ["binary messages", RPC, "application/proto", message, 200],
    ["gRPC-Web", RPC, "application/grpc-web+proto", wrapped, 200],
    [
      "a stream in JSON",
      STREAM,
      "application/connect+json",
      () => new Uint8Array(envelope(bytes("{}"))),
      200,
    ],
    [
      "a stream in binary",
      STREAM,
      "application/connect+proto",
      () => new Uint8Array(envelope()),
      200,
    ],
    ["an answer to an unknown type", RPC, "text/html", () => "<html>", 415],
    ["an unknown path", "/nothing", "application/json", () => "{}", 404],
    ["an unknown RPC", "/signet.v1.SiteService/Nothing", "application/json", () => "{}", 404],
  ])("%s, over HTTP/1.1", async (_what, path, type, body, status) => {
    for (const origin of [{}, { origin: ORIGIN }]) {
      const headers = { "content-type": type, ...origin };
      const sent = body();
      const answer = await fetch(service.url + path, { method: "POST", headers, body: sent });
      await answer.body?.cancel();

      expect(answer.status).toBe(status);
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    }
  });

  test.each([
    ["JSON", { ":path": RPC, "content-type": "application/json" }, () => bytes("{}")],
    ["binary messages", { ":path": RPC, "content-type": "application/proto" }, message],
    ["a refusal", { ":path": RPC, "content-type": "application/proto" }, () => bytes("")],
    ["a stream", { ":path": STREAM, "content-type": "application/connect+proto" }, wrapped],
    ["another method", { ":path": RPC, ":method": "DELETE" }, () => bytes("")],
    ["headers too large", { ":path": RPC, "x-large": "x".repeat(17_000) }, () => bytes("")],
    ["a malformed target", { ":path": "/\\" }, () => bytes("")],
  ])("%s, over HTTP/2", async (_what, headers, body) => {
    const answer = await callRawStream(service.port, { headers, body: [body()] });

    expect(answer.headers).toMatchObject({ "x-content-type-options": "nosniff" });
  });

  test("an answer to a request by GET", async () => {
    const answer = await getJson(service.url, RPC.slice(1), { domain: DOMAIN });

    expect(answer).toMatchObject({ status: 200, headers: { "x-content-type-options": "nosniff" } });
  });

  test("but gRPC, which no browser speaks, is spared the header", async () => {
    for (const type of ["application/grpc", "application/grpc+proto", "application/grpc+json"]) {
      const headers = { ":path": RPC, "content-type": type };
      const answer = await callRawStream(service.port, { headers, body: [wrapped()] });

      expect(answer.headers).toMatchObject({
        ":status": 200,
        "content-type": /^application\/grpc/,
      });
      expect(answer.headers).not.toHaveProperty("x-content-type-options");
    }
  });
});

describe("a browser is told to come by https alone", () => {
  const PATHS = () => [
    "/console",
    "/console/sites",
    "/healthz",
    "/nothing",
    `/sites/${siteId}/.well-known/jwks.json`,
    `/sites/${siteId}/reset-password`,
    `/sites/${siteId}/reset-password?token=x`,
  ];

  test("by pages, console and endpoints, for a year and for no other host", async () => {
    for (const path of PATHS()) {
      const { headers } = await fetch(service.url + path);

      expect([path, headers.get("strict-transport-security")]).toEqual([path, STRICT]);
    }
    const kept = `${service.url}/sites/${siteId}/.well-known/jwks.json`;
    const tag = (await fetch(kept)).headers.get("etag") ?? "";
    const again = await fetch(kept, { headers: { "if-none-match": tag } });
    expect([again.status, again.headers.get("strict-transport-security")]).toEqual([304, STRICT]);
  });

  test("but not where Signet is reached without https", async () => {
    for (const path of PATHS()) {
      const { headers } = await fetch(plain.url + path);

      expect([path, headers.get("strict-transport-security")]).toEqual([path, null]);
    }
  });

  test("by every answer to an RPC that a browser may send", async () => {
    const json = { "content-type": "application/json" };
    const post = { method: "POST", headers: json, body: JSON.stringify({ domain: DOMAIN }) };
    const fromPage = { ...post, headers: { ...json, origin: ORIGIN } };
    const asking = { origin: ORIGIN, "access-control-request-method": "POST" };
    const preflight = { method: "OPTIONS", headers: asking };
    const withText = { ...post, headers: { "content-type": "text/html" } };
    for (const asked of [post, fromPage, { ...post, body: "{}" }, preflight, withText]) {
      const { headers } = await fetch(service.url + RPC, asked);
      const inClear = await fetch(plain.url + RPC, asked);

      expect(headers.get("strict-transport-security")).toBe(STRICT);
      expect(inClear.headers.get("strict-transport-security")).toBeNull();
    }
    const byGet = await getJson(service.url, RPC.slice(1), { domain: DOMAIN });
    const page = { ":path": RPC, "content-type": "application/proto", origin: ORIGIN };
    const overHttp2 = await callRawStream(service.port, { headers: page, body: [message()] });
    expect(byGet.headers).toMatchObject({ "strict-transport-security": STRICT });
    expect(overHttp2.headers).toMatchObject({ "strict-transport-security": STRICT });
  });

  test("and to the hosts below its own as well, where Signet is told so", async () => {
    for (const path of [...PATHS(), `${RPC}?encoding=json`]) {
      const { headers } = await fetch(wide.url + path);

      expect([path, headers.get("strict-transport-security")]).toEqual([
        path,
        `${STRICT}; includeSubDomains`,
      ]);
    }
    const { headers } = await fetch(`${wide.url}/forward-auth`);
    expect(headers.get("strict-transport-security")).toBeNull();
  });

  test("and not by answers that a proxy passes on in the name of another host", async () => {
    const headers = { "x-forwarded-host": DOMAIN, "x-forwarded-proto": "https" };
    for (const method of ["GET", "POST"]) {
      const answer = await fetch(`${service.url}/forward-auth`, { method, headers });

      expect([401, 403, 405]).toContain(answer.status);
      expect(answer.headers.get("strict-transport-security")).toBeNull();
    }
  });
});

function message(): Uint8Array<ArrayBuffer> {
  const request = create(GetSiteByDomainRequestSchema, { domain: DOMAIN });
  return new Uint8Array(toBinary(GetSiteByDomainRequestSchema, request));
}

function wrapped(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(envelope(message()));
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
