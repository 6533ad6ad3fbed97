import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, test } from "vitest";
import {
  clientsOf,
  createKey,
  createSite,
  openSite,
  signUp,
  uniqueEmail,
} from "../support/builders.ts";
import { openTestDatabase } from "../support/database.ts";
import { startService } from "../support/service.ts";

const PAGE = "https://app.example.com";
const OTHER_PAGE = "https://other.example.com";
const STRANGER = "https://stranger.example.com";
const LOGIN = "signet.v1.AuthService/Login";

const database = await openTestDatabase();
const service = await startService({ databaseUrl: database.appUrl });
const transport = createGrpcTransport({ baseUrl: service.url });
const operator = clientsOf(transport, service.operatorKey);
const site = await openSite(transport, service.operatorKey, { publicCalls: true, origins: [PAGE] });
const otherSiteId = await createSite(operator, { publicCalls: true, origins: [OTHER_PAGE] });
const closedSite = await openSite(transport, service.operatorKey, { origins: [STRANGER] });
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const login = { email: uniqueEmail(), password: "wrong password" };

describe("a preflight", () => {
  test("is granted to origins of Sites with public calls, for what pages may call", async () => {
    const granted = await preflight(PAGE, LOGIN);

    expect(granted.status).toBe(204);
    expect(granted.headers.get("access-control-allow-origin")).toBe(PAGE);
    expect(granted.headers.get("access-control-allow-methods")).toBe("POST, GET");
    expect(granted.headers.get("access-control-allow-headers")?.toLowerCase()).toMatch(
      /content-type.*connect-protocol-version.*x-grpc-web.*authorization/,
    );
    expect(granted.headers.get("access-control-allow-credentials")).toBeNull();
    expect(granted.headers.get("vary")).toContain("Origin");
    expect(await granted.text()).toBe("");
  });

  test.each([
    ["a stranger's origin", STRANGER, LOGIN],
    ["an origin that only begins the same", `${PAGE}.evil.example`, LOGIN],
    ["another port", `${PAGE}:8443`, LOGIN],
    ["another scheme", "http://app.example.com", LOGIN],
    ["no origin at all", "null", LOGIN],
    ["an RPC for backends", PAGE, "signet.v1.AuthService/ValidateToken"],
    ["an RPC for administrators", PAGE, "signet.v1.SiteService/CreateApiKey"],
  ])("is refused for %s", async (_what, origin, path) => {
    const refused = await preflight(origin, path);

    expect(refused.status).toBe(403);
    expect(refused.headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("a page of the Site's origin", () => {
  test("reads the answer of its call, and the refusal too", async () => {
    const person = await signUp(site.backend);
    const { email, password } = person;

    const signedIn = await callFrom(PAGE, LOGIN, { siteId: site.siteId, email, password });
    const refused = await callFrom(PAGE, LOGIN, { siteId: site.siteId, ...login });
    const malformed = await callFrom(PAGE, LOGIN, { siteId: 7 });

    expect([signedIn.status, refused.status, malformed.status]).toEqual([200, 401, 400]);
    for (const answer of [signedIn, refused, malformed]) {
      expect(answer.headers.get("access-control-allow-origin")).toBe(PAGE);
      expect(answer.headers.get("vary")).toContain("Origin");
      expect(answer.headers.get("access-control-expose-headers")).toContain("Grpc-Status");
      expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
    }
  });

  test("calls over gRPC-Web as well", async () => {
    const message = Buffer.concat([Buffer.from([0x0a, 36]), Buffer.from(site.siteId)]);
    const envelope = Buffer.alloc(5);
    envelope.writeUInt32BE(message.length, 1);

    const answer = await fetch(`${service.url}/${LOGIN}`, {
      method: "POST",
      headers: { origin: PAGE, "content-type": "application/grpc-web+proto", "x-grpc-web": "1" },
      body: Buffer.concat([envelope, message]),
    });
    await answer.arrayBuffer();

    expect(answer.status).toBe(200);
    expect(answer.headers.get("access-control-allow-origin")).toBe(PAGE);
  });

  test("acts on the account of the User who is signed in", async () => {
    const { accessToken, password } = await signUp(site.backend);

    const answer = await callFrom(
      PAGE,
      "signet.v1.AuthService/Reauthenticate",
      { password },
      accessToken,
    );

    expect(answer.status).toBe(200);
    expect(answer.headers.get("access-control-allow-origin")).toBe(PAGE);
  });
});

describe("a page of another origin", () => {
  test("makes no public call, though its own Site has them", async () => {
    const refused = await callFrom(OTHER_PAGE, LOGIN, { siteId: site.siteId, ...login });
    const own = await callFrom(OTHER_PAGE, LOGIN, { siteId: otherSiteId, ...login });

    expect(refused.status).toBe(403);
    expect(refused.headers.get("access-control-allow-origin")).toBeNull();
    expect(await refused.text()).toContain("ACCESS_DENIED");
    expect(own.headers.get("access-control-allow-origin")).toBe(OTHER_PAGE);
  });

  test("does not read what a User does with its token", async () => {
    const { accessToken } = await signUp(site.backend);

    const answer = await callFrom(
      OTHER_PAGE,
      "signet.v1.AuthService/ListSessions",
      {},
      accessToken,
    );

    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("reads nothing of a Site without public calls, whose origins do not count", async () => {
    const key = await createKey(operator, closedSite.siteId);

    const anonymous = await callFrom(STRANGER, LOGIN, { siteId: closedSite.siteId, ...login });
    const withKey = await callFrom(STRANGER, LOGIN, login, key);

    for (const answer of [anonymous, withKey]) {
      expect(answer.status).toBe(401);
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    }
  });
});

describe("a User's access token sent with a public call", () => {
  test("does no harm on a Site with public calls", async () => {
    const { accessToken, email, password, refreshToken } = await signUp(site.backend);
    const { auth } = clientsOf(transport, accessToken);

    const { result } = await auth.login({ identifier: { case: "email", value: email }, password });
    const refreshed = await auth.refreshToken({ siteId: site.siteId, refreshToken });
    await auth.register({ email: uniqueEmail() });

    expect(result.case).toBe("session");
    expect(refreshed.tokens?.accessToken).not.toBe("");
  });

  test("names its own Site only, and one with public calls", async () => {
    const own = await signUp(site.backend);
    const closed = await signUp(closedSite.backend);

    const foreign = await callFrom("", LOGIN, { siteId: otherSiteId, ...login }, own.accessToken);
    const refused = await callFrom("", LOGIN, login, closed.accessToken);

    expect(await foreign.text()).toContain("SITE_NOT_FOUND");
    expect(await refused.text()).toContain("ACCESS_DENIED");
  });
});

async function preflight(origin: string, path: string): Promise<Response> {
  const headers = {
    origin,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,connect-protocol-version",
  };
  return await fetch(`${service.url}/${path}`, { method: "OPTIONS", headers });
}

async function callFrom(
  origin: string,
  path: string,
  message: unknown,
  credential = "",
): Promise<Response> {
  const headers = {
    "content-type": "application/json",
    ...(origin && { origin }),
    ...(credential && { authorization: `Bearer ${credential}` }),
  };
  const body = JSON.stringify(message);
  return await fetch(`${service.url}/${path}`, { method: "POST", headers, body });
}
