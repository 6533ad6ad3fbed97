import { readFileSync } from "node:fs";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { decodeJwt, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { createKey, openSite, signUp, unique, uniqueEmail } from "../support/builders.ts";
import { type FlaskApp, missingForFlask, startFlaskApp } from "../support/flask-app.ts";
import { openGuide } from "../support/guide.ts";
import { blocksOf } from "../support/guide-blocks.ts";
import { type MeteredProxy, startMeteredProxy } from "../support/metered-proxy.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

const PASSWORD = "four quiet otters swim";

/** What this test reads of answers. */
interface Answer {
  readonly accessToken?: string;
  readonly refreshToken?: string;
}

const missing = await missingForFlask();

test("the blocks of python.md are code of examples/flask/app.py", () => {
  const app = readFileSync("examples/flask/app.py", "utf8");

  const blocks = blocksOf("python", "python");

  expect(blocks.length).toBeGreaterThan(5);
  expect(blocks.filter((block) => !app.includes(block))).toEqual([]);
});

describe.skipIf(missing !== "")(`the app of python.md${missing && `, without ${missing}`}`, () => {
  let opened: SiteOnService;
  let proxy: MeteredProxy;
  let app: FlaskApp;

  beforeAll(async () => {
    opened = await openSiteOnService();
    const { operator, service, site } = opened;
    const scopes = [Scope.AUTH, Scope.USERS_READ];
    proxy = await startMeteredProxy(service.port);
    app = await startFlaskApp(proxy.url, await createKey(operator, site.siteId, { scopes }));
  });

  afterAll(async () => {
    await app[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
    await opened[Symbol.asyncDispose]();
  });

  async function ask(page: string, token?: string, form?: object) {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(`${app.url}/${page}`, {
      method: form ? "POST" : "GET",
      headers: { "content-type": "application/json", ...authorization },
      ...(form && { body: JSON.stringify(form) }),
    });
    const json = (await answer.json().catch(() => ({}))) as Answer;
    return { status: answer.status, challenge: answer.headers.get("www-authenticate"), json };
  }

  async function createPerson(email = uniqueEmail(), roles: readonly string[] = []) {
    const { auth, users } = opened.site.backend;
    const person = { email, password: PASSWORD, displayName: "Ada" };
    const delivery = Delivery.RETURN_TOKEN;
    const { userId, oneTimeToken } = await auth.register({ ...person, delivery });
    await auth.verifyEmail({ token: oneTimeToken?.token ?? "" });
    if (roles.length > 0) await users.updateUser({ userId, roles: { roles: [...roles] } });
    return { email, userId };
  }

  async function signIn(email: string): Promise<Required<Answer>> {
    const { json } = await ask("sign-in", undefined, { email, password: PASSWORD });
    const { accessToken, refreshToken } = json;
    if (accessToken && refreshToken) return { accessToken, refreshToken };
    throw new Error(`nobody was signed in:\n${app.program.output.tail()}`);
  }

  test("works line by line", async () => {
    const ada = await createPerson("ada@example.com");
    const guide = openGuide("python", { APP_URL: app.url });

    const { accessToken = "", refreshToken = "" } = (await guide.runNext()) as Answer;
    const me = await guide.runNext({ "access token": accessToken });
    const paid = await guide.runNext({ "access token": accessToken });
    const profile = await guide.runNext({ "access token": accessToken });
    const next = (await guide.runNext({ "refresh token": refreshToken })) as Answer;
    const left = await guide.runNext({ "next refresh token": next.refreshToken ?? "" });

    expect(me).toEqual({ userId: ada.userId, roles: ["user"] });
    expect(paid).toEqual({ next: "thank you" });
    expect(profile).toEqual({ email: ada.email, displayName: "Ada" });
    expect(left).toEqual({ next: "sign in" });
    expect(guide.left()).toBe(0);
  });

  test("says in its own words why nobody was signed in", async () => {
    const { email } = await createPerson();

    const wrong = await ask("sign-in", undefined, { email, password: "not this one" });
    const unknown = await ask("sign-in", undefined, { email: "x@example.com", password: "no" });
    const empty = await ask("sign-in", undefined, {});
    const stale = await ask("refresh", undefined, { refreshToken: "sgn_rt_stale" });

    const refusal = { status: 401, json: { error: "wrong address or password" } };
    expect([wrong, unknown]).toMatchObject([refusal, refusal]);
    expect(empty).toMatchObject({ status: 422, json: { error: "something is missing" } });
    expect(stale).toMatchObject({ status: 401, json: { error: "sign in again" } });
  });

  test("lets only those with the role in", async () => {
    const [reader, editor] = [await createPerson(), await createPerson(uniqueEmail(), ["editor"])];

    const refused = await ask("reports", (await signIn(reader.email)).accessToken);
    const shown = await ask("reports", (await signIn(editor.email)).accessToken);

    expect(refused).toMatchObject({ status: 403, challenge: 'Bearer error="insufficient_scope"' });
    expect(shown).toMatchObject({ status: 200, json: { reports: [] } });
  });

  test("asks Signet where a logout has to count at once", async () => {
    const { email } = await createPerson();
    const { accessToken, refreshToken } = await signIn(email);

    await ask("sign-out", undefined, { refreshToken });
    const refused = await until(async () => {
      const answer = await ask("pay", accessToken, {});
      return answer.status === 200 ? undefined : answer;
    });

    expect(refused).toMatchObject({ status: 401, challenge: 'Bearer error="invalid_token"' });
    expect((await ask("me", accessToken)).status).toBe(200);
  });

  test("refuses every token that is not its Site's for it", async () => {
    const { accessToken } = await signIn((await createPerson()).email);
    const hostile = await hostileTokens(accessToken);

    const answers = await Promise.all(
      Object.entries(hostile).map(async ([kind, token]) => {
        const { status, challenge } = await ask("me", token);
        return { kind, status, challenge };
      }),
    );

    const challenge = 'Bearer error="invalid_token"';
    const expected = Object.keys(hostile).map((kind) => ({ kind, status: 401, challenge }));
    expect(answers).toEqual(expected);
    expect((await ask("me")).challenge).toBe("Bearer");
    expect((await ask("me", accessToken)).status).toBe(200);
  });

  test("fetches the keys once more for strangers' tokens, not once for each", async () => {
    const { accessToken } = await signIn((await createPerson()).email);
    const [, claims = "", signature = ""] = accessToken.split(".");
    const start = proxy.bytes();
    await fetch(`${proxy.url}/sites/${opened.site.siteId}/.well-known/jwks.json`);
    const bytesOfFetch = proxy.bytes() - start;

    for (let n = 0; n < 50; n++) {
      const header = encoded({ alg: "ES256", typ: "at+jwt", kid: unique("key") });
      expect((await ask("me", `${header}.${claims}.${signature}`)).status).toBe(401);
    }

    expect(bytesOfFetch).toBeGreaterThan(100);
    expect(proxy.bytes() - start).toBeLessThan(20 * bytesOfFetch);
  });

  async function hostileTokens(good: string): Promise<Readonly<Record<string, string>>> {
    const [head = "", claims = "", signature = ""] = good.split(".");
    const header = JSON.parse(Buffer.from(head, "base64url").toString()) as object;
    const { service } = opened;
    const transport = createGrpcTransport({ baseUrl: service.url });
    const elsewhere = await openSite(transport, service.operatorKey);
    const stranger = await generateKeyPair("ES256");
    const forged = new SignJWT(decodeJwt(good)).setProtectedHeader({ alg: "ES256", ...header });
    const altered = encoded({ ...decodeJwt(good), roles: ["admin"] });
    return {
      garbage: "garbage",
      "three parts": "a.b.c",
      "too long": "x".repeat(5_000),
      nested: `${Buffer.from("[".repeat(2_900)).toString("base64url")}.e30.AA`,
      unsigned: `${encoded({ ...header, alg: "none" })}.${claims}.`,
      "signed as RSA": `${encoded({ ...header, alg: "RS256" })}.${claims}.${signature}`,
      "signed as a secret": `${encoded({ ...header, alg: "HS256" })}.${claims}.${signature}`,
      "another type": `${encoded({ ...header, typ: "JWT" })}.${claims}.${signature}`,
      "no key": `${encoded({ alg: "ES256", typ: "at+jwt" })}.${claims}.${signature}`,
      "altered claims": `${head}.${altered}.${signature}`,
      "forged signature": await forged.sign(stranger.privateKey),
      "another Site": (await signUp(elsewhere.backend)).accessToken,
      "another audience": (await signUp(opened.site.backend)).accessToken,
    };
  }
});

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
