import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type SignedIn, signUp } from "../support/builders.ts";
import { createEnvoyClient, type EnvoyClient, type EnvoyRequest } from "../support/envoy-check.ts";
import type { HeaderList } from "../support/header-call.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

const COOKIE = "token";
const LOGIN_URL = "https://login.example.com/";

let opened: SiteOnService;
let envoy: EnvoyClient;
let ada: SignedIn;

beforeAll(async () => {
  opened = await openSiteOnService({
    SIGNET_FORWARD_AUTH_COOKIE: COOKIE,
    SIGNET_FORWARD_AUTH_LOGIN_URL: LOGIN_URL,
  });
  envoy = createEnvoyClient(`127.0.0.1:${opened.service.port}`);
  ada = await signUp(opened.site.backend);
});

afterAll(async () => {
  envoy.close();
  await opened[Symbol.asyncDispose]();
});

const bearer = (token = ada.accessToken): HeaderList => [["Authorization", `Bearer ${token}`]];

describe("Authorization.Check", () => {
  test.each([false, true])("says whose request it is; raw headers: %s", async (raw) => {
    const verdict = await envoy.check({ headers: bearer(), raw });

    expect(verdict).toMatchObject({
      grpcStatus: 0,
      passed: {
        headers: {
          "x-user-id": ada.userId,
          "x-user-email": ada.email,
          "x-user-role": "user",
          "x-site-id": opened.site.siteId,
        },
      },
    });
    expect(verdict).not.toHaveProperty("denied");
  });

  test.each([false, true])("takes the token of the cookie; raw headers: %s", async (raw) => {
    const headers = [["Cookie", `a=b; ${COOKIE}=${ada.accessToken}`]] as const;

    const verdict = await envoy.check({ headers, raw });

    expect(verdict.passed?.headers).toMatchObject({ "x-user-id": ada.userId });
  });

  test("takes away every header that a client could claim to be somebody with", async () => {
    const { backend } = opened.site;
    const eve = await signUp(backend);
    await backend.users.updateUser({ userId: eve.userId, emailVerified: false });
    const { passed } = await until(async () => {
      const verdict = await envoy.check({ headers: bearer(eve.accessToken) });
      const isFresh = verdict.passed && !("x-user-email" in verdict.passed.headers);
      return isFresh ? verdict : undefined;
    });

    const plain = ["x-user-id", "x-user-email", "x-user-role", "x-site-id", "x-identity-token"];
    const aliases = plain.flatMap((name) => [
      name.replaceAll("-", "_"),
      name.replace("-", "_"),
      name.replace(/-(?!.*-)/, "_"),
      name.replaceAll("-", "."),
    ]);
    const gone = new Set(passed?.removed);
    expect(aliases.filter((name) => !gone.has(name))).toEqual([]);
    const set = Object.keys(passed?.headers ?? {});
    // Of each plain name either, never both: Envoy's order does not matter so.
    expect([...set, ...plain.filter((name) => gone.has(name))].sort()).toEqual(plain.sort());
    expect(gone).toContain("x-user-email");
  });

  test.each([
    ["nothing", []],
    ["a token that is none", bearer("x")],
    ["a token that is not good any more", undefined],
  ] as const)("denies a request with %s", async (_name, headers) => {
    const verdict = await envoy.check({ headers: headers ?? bearer(await revokedToken()) });

    expect(verdict).toMatchObject({ grpcStatus: 16, denied: { status: 401 } });
    expect(verdict.denied?.headers["www-authenticate"]).toMatch(/^Bearer realm="signet"/);
    expect(verdict).not.toHaveProperty("passed");
  });

  test.each([false, true])("denies what could be read in two ways; raw: %s", async (raw) => {
    const twice = [...bearer(), ...bearer("other")];
    const cookies = [
      ["Cookie", `${COOKIE}=${ada.accessToken}`],
      ["Cookie", `${COOKIE}=x`],
    ] as const;

    expect(await envoy.check({ headers: twice, raw })).toMatchObject({ grpcStatus: 16 });
    expect(await envoy.check({ headers: cookies, raw })).toMatchObject({ grpcStatus: 16 });
  });

  test("denies a User who has not what the route asks", async () => {
    const ask = (extensions: Readonly<Record<string, string>>) =>
      envoy.check({ headers: bearer(), extensions });
    const denied = { grpcStatus: 7, denied: { status: 403 } };

    expect(await ask({ role: "user", site: opened.site.siteId })).toMatchObject({ grpcStatus: 0 });
    expect(await ask({ role: "admin" })).toMatchObject(denied);
    expect(await ask({ site: ada.userId })).toMatchObject(denied);
  });

  test("asks what the route asks, not what a client writes into the query", async () => {
    const path = "/admin?role=user";

    const verdict = await envoy.check({ path, headers: bearer(), extensions: { role: "admin" } });

    expect(verdict).toMatchObject({ grpcStatus: 7 });
  });

  test("lets nobody pass a route that cannot be understood", async () => {
    const verdict = await envoy.check({ headers: bearer(), extensions: { rolle: "admin" } });

    expect(verdict).toMatchObject({ grpcStatus: 3, denied: { status: 400 } });
  });

  test("sends a browser to the login page, with where it wanted to go", async () => {
    const site = opened.site.siteId;
    const { site: settings } = await opened.operator.sites.getSite({ siteId: site });
    const host = settings?.domains[0] ?? "";
    const page: EnvoyRequest = {
      host,
      headers: [["Accept", "text/html"]],
      extensions: { redirect: "login", site },
    };

    const own = await envoy.check(page);
    const foreign = await envoy.check({ ...page, host: "evil.example.com" });
    const form = await envoy.check({ ...page, method: "POST" });

    const wanted = encodeURIComponent(`https://${host}/reports?page=2`);
    expect(own).toMatchObject({
      grpcStatus: 16,
      denied: { status: 302, headers: { location: `${LOGIN_URL}?return_to=${wanted}` } },
    });
    expect(foreign.denied).toMatchObject({ status: 302, headers: { location: LOGIN_URL } });
    expect(form.denied).toMatchObject({ status: 401 });
  });

  test("survives a request of which nothing is said", async () => {
    const { url } = opened.service;
    const call = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };

    const answer = await fetch(`${url}/envoy.service.auth.v3.Authorization/Check`, call);

    expect(await answer.json()).toMatchObject({ status: { code: 16 } });
  });
});

async function revokedToken(): Promise<string> {
  const { auth } = opened.site.backend;
  const { accessToken, refreshToken } = await signUp(opened.site.backend);
  await auth.logout({ refreshToken });
  await until(async () => (await envoy.check({ headers: bearer(accessToken) })).denied);
  return accessToken;
}
