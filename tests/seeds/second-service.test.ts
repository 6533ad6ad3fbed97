import { once } from "node:events";
import { createServer } from "node:http";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { grpcClients, logIn, refusal, signUp, unique } from "../support/builders.ts";
import { forgedTokens, forgeHeader } from "../support/forged-tokens.ts";
import { runSignet } from "../support/programs.ts";
import {
  callApp,
  foreignToken,
  openSecondService,
  publicKeyOf,
  type SecondService,
} from "../support/second-service.ts";
import { until } from "../support/waiting.ts";

let opened: SecondService;

beforeAll(async () => {
  opened = await openSecondService();
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("somebody who is signed in at the main app", () => {
  test("is known to the second service by the token alone, and it keeps their id", async () => {
    const person = await signInAtApp();

    const bought = await atApp(person, { symbol: person.symbol, quantity: 3 });
    const listed = await atApp(person);

    const { id } = bought.json;
    const { rows } = await opened.trades.owner.pool.query(
      "select site_id, user_id from trades where id = $1",
      [id],
    );
    expect(bought.status).toBe(201);
    expect(listed.json).toEqual({ trades: [{ id, symbol: person.symbol, quantity: 3 }] });
    expect(rows).toEqual([{ site_id: opened.site.siteId, user_id: person.userId }]);
  });

  test("sees their own history, and nothing of anybody else's", async () => {
    const [ada, eve] = [await signInAtApp(), await signInAtApp()];
    await atApp(ada, { symbol: ada.symbol, quantity: 1 });
    await atApp(eve, { symbol: eve.symbol, quantity: 1 });

    const [ofAda, ofEve] = [await atApp(ada), await atApp(eve)];

    expect(ofAda.text).toContain(ada.symbol);
    expect(ofAda.text).not.toContain(eve.symbol);
    expect(ofEve.text).toContain(eve.symbol);
    expect(ofEve.text).not.toContain(ada.symbol);
  });

  test("is asked to sign in where they have not, and once they have signed out", async () => {
    const person = await signInAtApp();

    const stranger = await callApp(opened.mainApp, "/trades");
    const guessed = await callApp(opened.mainApp, "/trades", { cookie: "session=guessed" });
    await callApp(opened.mainApp, "/sign-out", { cookie: person.cookie }, {});
    const left = await atApp(person);

    expect([stranger, guessed, left].map(({ status }) => status)).toEqual([401, 401, 401]);
  });

  test("stays signed in while tokens end, which the main app renews", async () => {
    const { mainApp } = opened.late;
    const { auth } = opened.site.backend;
    const { userId, email, password } = await signUp(opened.site.backend);
    const { cookie } = await callApp(mainApp, "/sign-in", {}, { email, password });

    const answers = [
      await callApp(mainApp, "/trades", { cookie }),
      await callApp(mainApp, "/trades", { cookie }),
    ];

    const [session] = (await auth.listSessions({ userId })).sessions;
    const [begun, renewed] = [session?.createTime, session?.lastRefreshTime].map(nanosOf);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(renewed).toBeGreaterThan(begun ?? 0n);
  });

  test("has a token for one service, with a lifetime that the Site sets", async () => {
    const { operator, site, tokenFor } = opened;
    const lifetimes = { accessTokenSeconds: 600 };
    await operator.sites.updateSite({ siteId: site.siteId, lifetimes });
    const person = await signUp(site.backend);
    const { iat = 0, exp = 0 } = decodeJwt(person.accessToken);

    const short = decodeJwt(await tokenFor("live-data", 60));

    expect(exp - iat).toBe(600);
    expect((short.exp ?? 0) - (short.iat ?? 0)).toBe(60);
    expect(short.aud).toBe("live-data");
  });
});

describe("the second service", () => {
  test("says that it is up, to anybody", async () => {
    expect(await callApp(opened.liveData, "/healthz")).toMatchObject({ status: 200 });
  });

  test("refuses a token that has expired", async () => {
    const token = await opened.tokenFor("live-data");

    const inTime = await atService(token);
    const late = await callApp(opened.late.liveData, "/trades", bearer(token));

    expect(inTime.status).toBe(200);
    expect(late).toMatchObject({ status: 401, json: { error: "expired" } });
  });

  test("refuses a token for another service, of another Site, and after the logout", async () => {
    const { site, service } = opened;
    const person = await signUp(site.backend);
    const { auth } = grpcClients(service.url, person.accessToken);
    const { accessToken } = await auth.exchangeToken({ audience: "live-data" });
    const before = await atService(accessToken);

    const others = [
      await opened.tokenFor("reports"),
      person.accessToken,
      await foreignToken(opened),
    ];
    const refused = await Promise.all(others.map(atService));
    await site.backend.auth.logout({ refreshToken: person.refreshToken });
    const after = await until(async () => {
      const answer = await atService(accessToken);
      return answer.status !== 200 && answer;
    });

    expect(before.status).toBe(200);
    expect(refused.map(({ json }) => json.error)).toEqual(["audience", "audience", "malformed"]);
    expect(after).toMatchObject({ status: 401, json: { error: "revoked" } });
  });

  test("says nothing of its inside, whatever is wrong", async () => {
    const headers = bearer(await opened.tokenFor("live-data"));
    const { url } = opened.liveData;

    const failed = await callApp(opened.liveData, "/trades", headers, { symbol: null });
    const broken = await fetch(`${url}/trades`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: "{",
    });

    expect(failed).toMatchObject({ status: 500, json: { error: "something went wrong" } });
    expect(broken.status).toBe(400);
    expect(failed.text + (await broken.text())).not.toMatch(/ at |\.ts|null value|SyntaxError/);
  });

  test("has a database that shows nothing to a statement of nobody's", async () => {
    const person = await signInAtApp();
    await atApp(person, { symbol: person.symbol, quantity: 1 });

    const seen = await opened.trades.openPool().query("select * from trades");
    const all = await opened.trades.owner.pool.query("select * from trades");

    expect(seen.rows).toEqual([]);
    expect(all.rows.length).toBeGreaterThan(0);
  });

  test("has a key that neither signs anybody in nor makes a token", async () => {
    const { site, service, key } = opened;
    const person = await signUp(site.backend);
    const { auth, users } = grpcClients(service.url, key);

    const refusals = await Promise.all([
      refusal(logIn({ auth }, person.email, person.password)),
      refusal(auth.exchangeToken({ audience: "live-data" })),
      refusal(users.getUser({ userId: person.userId })),
    ]);

    expect(refusals.map(({ reason }) => reason)).toEqual(Array(3).fill("ACCESS_DENIED"));
  });
});

describe("who watches", () => {
  test("finds refused logins in the audit log, and guesses come to an end", async () => {
    const { operator, service, site } = opened;
    const person = await signUp(site.backend);
    const form = { email: person.email, password: "not the password" };
    const signIn = (given: object) => callApp(opened.mainApp, "/sign-in", {}, given);
    const wrong = await signIn(form);
    for (let n = 1; n < 20; n++) await signIn(form);

    const right = await signIn({ ...form, password: person.password });

    const environment = { SIGNET_URL: service.url, SIGNET_KEY: service.operatorKey };
    const words = ["audit", "list", "--site", site.siteId, "--subject", person.email, "--json"];
    const { stdout } = await runSignet(words, environment);
    await operator.users.unlockUser({ siteId: site.siteId, userId: person.userId });
    expect(right).toEqual(wrong);
    expect(right.status).toBe(401);
    expect(stdout).toContain("login.failed");
    expect((await signIn({ ...form, password: person.password })).status).toBe(200);
  });
});

describe("there is no shared secret", () => {
  test("whatever a token is signed with, it is Signet's signature or none", async () => {
    const good = await opened.tokenFor("live-data");
    const tokens = forgedTokens(good, await publicKeyOf(opened, good));

    const answers = await Promise.all(
      Object.entries(tokens).map(async ([way, token]) => {
        const { result } = await opened.site.backend.auth.validateToken({
          token,
          audience: "live-data",
        });
        return [way, (await atService(token)).status, result.case] as const;
      }),
    );

    expect((await atService(good)).status).toBe(200);
    expect(answers).toEqual(Object.keys(tokens).map((way) => [way, 401, "invalid"]));
  });

  test("and a key that a token names is not fetched", async () => {
    const fetched: string[] = [];
    const server = createServer((request, response) => {
      fetched.push(request.url ?? "");
      response.end("{}");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    const good = await opened.tokenFor("live-data");

    const header = { jku: `http://127.0.0.1:${port}/keys`, x5u: `http://127.0.0.1:${port}/cert` };
    const { status } = await atService(forgeHeader(good, header));

    server.close();
    expect(status).toBe(401);
    expect(fetched).toEqual([]);
  });
});

describe("a user id that a request names", () => {
  test("is no proof: without a token there is no answer", async () => {
    const { userId } = await signInAtApp();
    const body = { symbol: unique("F"), quantity: 1, user_id: userId, userId };

    const answers = await Promise.all([
      callApp(opened.liveData, `/trades?user_id=${userId}`),
      callApp(opened.liveData, "/trades", { "x-user-id": userId }),
      callApp(opened.liveData, "/trades", { "x-user-id": userId }, body),
      callApp(opened.liveData, "/trades", bearer(userId), body),
    ]);

    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401]);
  });

  test("changes nothing beside somebody else's token", async () => {
    const ada = await signInAtApp();
    const ofEve = await opened.tokenFor("live-data");
    const trade = { symbol: unique("F"), quantity: 1, user_id: ada.userId, userId: ada.userId };

    const forged = await callApp(
      opened.liveData,
      `/trades?user_id=${ada.userId}`,
      { ...bearer(ofEve), "x-user-id": ada.userId },
      trade,
    );

    const { rows } = await opened.trades.owner.pool.query(
      "select user_id from trades where id = $1",
      [forged.json.id],
    );
    expect(rows).toEqual([{ user_id: decodeJwt(ofEve).sub }]);
    expect((await atApp(ada)).text).not.toContain(trade.symbol);
  });
});

function nanosOf(time: Timestamp | undefined): bigint {
  return (time?.seconds ?? 0n) * 1_000_000_000n + BigInt(time?.nanos ?? 0);
}

/** Signs somebody new in at the main app, as a browser does. */
async function signInAtApp() {
  const { email, password } = await signUp(opened.site.backend);
  const answer = await callApp(opened.mainApp, "/sign-in", {}, { email, password });
  return { userId: `${answer.json.userId}`, cookie: answer.cookie, symbol: unique("S") };
}

function atApp({ cookie }: { readonly cookie: string }, body?: object) {
  return callApp(opened.mainApp, "/trades", { cookie }, body);
}

function atService(token: string) {
  return callApp(opened.liveData, "/trades", bearer(token));
}

function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` };
}
