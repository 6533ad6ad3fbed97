import { connect } from "node:http2";
import { text } from "node:stream/consumers";
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { grpcClients, type SignedIn, signUp } from "../support/builders.ts";
import { callWithHeaders, type HeaderAnswer, type HeaderList } from "../support/header-call.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

const COOKIE = "__Host-token";

let opened: SiteOnService;
let ada: SignedIn;

beforeAll(async () => {
  opened = await openSiteOnService({
    SIGNET_FORWARD_AUTH_COOKIE: COOKIE,
    SIGNET_FORWARD_AUTH_IDENTITY_SECONDS: "60",
  });
  ada = await signUp(opened.site.backend, "a%da+x@example.com");
});

afterAll(() => opened[Symbol.asyncDispose]());

function ask(headers: HeaderList, query = ""): Promise<HeaderAnswer> {
  return callWithHeaders(`${opened.service.url}/forward-auth${query}`, headers);
}

function bearer(token = ada.accessToken): HeaderList {
  return [["Authorization", `Bearer ${token}`]];
}

const UNKNOWN = { status: 401, body: '{"error":"token_missing"}' };
const INVALID = { status: 401, body: '{"error":"token_invalid"}' };

describe("/forward-auth", () => {
  test("says whose token it is, in encoded headers that nobody keeps", async () => {
    const answer = await ask(bearer());

    expect(answer).toMatchObject({ status: 200, body: "" });
    expect(answer.headers).toMatchObject({
      "x-user-id": ada.userId,
      "x-user-email": "a%25da+x@example.com",
      "x-user-role": "user",
      "x-site-id": opened.site.siteId,
      "cache-control": "no-store",
    });
  });

  test("answers the same over HTTP/2", async () => {
    const session = connect(opened.service.url);
    const call = session.request({ ":path": "/forward-auth", ...Object.fromEntries(bearer()) });
    const [headers] = (await Promise.all([
      new Promise((resolve) => call.once("response", resolve)),
      text(call),
    ])) as [Record<string, unknown>, string];
    session.close();

    expect(headers).toMatchObject({ ":status": 200, "x-user-id": ada.userId });
  });

  test("sends every header, empty where there is nothing to say", async () => {
    const { users } = opened.site.backend;
    const eve = await signUp(opened.site.backend);
    await users.updateUser({ userId: eve.userId, emailVerified: false });

    const answer = await until(async () => {
      const found = await ask(bearer(eve.accessToken));
      return found.headers["x-user-email"] === "" && found;
    });

    expect(answer).toMatchObject({ status: 200, headers: { "x-user-id": eve.userId } });
  });

  test("takes the token of the cookie that the service names", async () => {
    const good = await ask([["Cookie", `a=b; ${COOKIE}=${ada.accessToken}; c="d"`]]);
    const other = await ask([["Cookie", `token=${ada.accessToken}; x${COOKIE}=x`]]);
    const empty = await ask([["Cookie", `${COOKIE}=`]]);

    expect(good).toMatchObject({ status: 200, headers: { "x-user-id": ada.userId } });
    expect(other).toMatchObject(UNKNOWN);
    expect(empty).toMatchObject(UNKNOWN);
  });

  test("refuses what could be read in two ways", async () => {
    const cookie = `${COOKIE}=${ada.accessToken}`;
    const [good = ["", ""]] = bearer();

    expect(await ask([good, ["Authorization", "Bearer other"]])).toMatchObject(INVALID);
    expect(await ask([good, good])).toMatchObject(INVALID);
    expect(await ask([["Cookie", `${cookie}; ${cookie}`]])).toMatchObject(INVALID);
    expect(
      await ask([
        ["Cookie", cookie],
        ["Cookie", `${COOKIE}=x`],
      ]),
    ).toMatchObject(INVALID);
    expect(
      await ask([
        ["Authorization", "Basic YTpi"],
        ["Cookie", cookie],
      ]),
    ).toMatchObject(INVALID);
  });

  test("asks for a Bearer token, and says when one was not good", async () => {
    const none = await ask([]);
    const bad = await ask(bearer(`${ada.accessToken}x`));

    expect(none).toMatchObject({
      ...UNKNOWN,
      headers: { "www-authenticate": 'Bearer realm="signet"', "cache-control": "no-store" },
    });
    expect(bad).toMatchObject({
      ...INVALID,
      headers: { "www-authenticate": 'Bearer realm="signet", error="invalid_token"' },
    });
    expect(bad.headers).not.toHaveProperty("x-user-id");
  });

  test("takes access tokens of Users alone", async () => {
    const { site, service } = opened;
    const [head, payload] = ada.accessToken.split(".");
    const unsigned = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString("base64url")}`;

    for (const credential of [
      site.key,
      service.operatorKey,
      ada.refreshToken,
      `${head}.${payload}.`,
      `${unsigned}.${payload}.`,
      "x".repeat(4_097),
    ]) {
      expect(await ask(bearer(credential))).toMatchObject(INVALID);
    }
  });

  test("refuses a token at once whose Session has ended", async () => {
    const { accessToken, refreshToken } = await signUp(opened.site.backend);
    expect(await ask(bearer(accessToken))).toMatchObject({ status: 200 });

    await opened.site.backend.auth.logout({ refreshToken });

    const refused = await until(async () => {
      const answer = await ask(bearer(accessToken));
      return answer.status !== 200 && answer;
    });
    expect(refused).toMatchObject(INVALID);
  });

  test("refuses a User who has been disabled or deleted", async () => {
    const { users } = opened.site.backend;
    const disabled = await signUp(opened.site.backend);
    const deleted = await signUp(opened.site.backend);
    await users.disableUser({ userId: disabled.userId });
    await users.deleteUser({ userId: deleted.userId });

    for (const { accessToken } of [disabled, deleted]) {
      await until(async () => (await ask(bearer(accessToken))).status === 401);
    }
  });

  test("follows the address of a User", async () => {
    const { users } = opened.site.backend;
    const { userId, accessToken } = await signUp(opened.site.backend);
    await ask(bearer(accessToken));
    const email = `new-${userId}@example.com`;

    await users.updateUser({ userId, email, emailVerified: true });

    await until(async () => (await ask(bearer(accessToken))).headers["x-user-email"] === email);
  });

  test("takes a token for another audience only where the route asks for that", async () => {
    const { accessToken } = await grpcClients(
      opened.service.url,
      ada.accessToken,
    ).auth.exchangeToken({ audience: "reports" });

    expect(await ask(bearer(accessToken))).toMatchObject(INVALID);
    expect(await ask(bearer(accessToken), "?audience=reports")).toMatchObject({ status: 200 });
    expect(await ask(bearer(accessToken), "?audience=other")).toMatchObject(INVALID);
    expect(await ask(bearer(), "?audience=reports")).toMatchObject(INVALID);
  });

  test("answers GET and HEAD, and nothing else", async () => {
    const url = `${opened.service.url}/forward-auth`;

    const head = await callWithHeaders(url, bearer(), { method: "HEAD" });
    const post = await callWithHeaders(url, bearer(), { method: "POST", body: "x" });

    expect(head).toMatchObject({ status: 200, headers: { "x-user-id": ada.userId } });
    expect(post).toMatchObject({ status: 405 });
  });
});

describe("the identity token", () => {
  test("names the User for a short time, to whom the keys of the Site are known", async () => {
    const { headers } = await ask(bearer());
    const token = String(headers["x-identity-token"]);
    const issuerPath = `/sites/${opened.site.siteId}`;
    const jwks = await fetch(`${opened.service.url}${issuerPath}/.well-known/jwks.json`);
    const keys = createLocalJWKSet((await jwks.json()) as JSONWebKeySet);

    const { payload } = await jwtVerify(token, keys, { typ: "identity+jwt" });

    expect(decodeProtectedHeader(token)).toMatchObject({ alg: "ES256", typ: "identity+jwt" });
    expect(payload).toMatchObject({
      iss: `https://id.signet.test${issuerPath}`,
      aud: `https://id.signet.test${issuerPath}`,
      sub: ada.userId,
      email: "a%da+x@example.com",
      roles: ["user"],
    });
    expect(Number(payload.exp) - Number(payload.iat)).toBeLessThanOrEqual(60);
  });

  test("is no access token", async () => {
    const { headers } = await ask(bearer());
    const token = String(headers["x-identity-token"]);

    const check = await opened.site.backend.auth.validateToken({ token });

    expect(check.result.case).toBe("invalid");
    expect(await ask(bearer(token))).toMatchObject(INVALID);
  });
});
