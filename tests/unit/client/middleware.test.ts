import { Code, createClient, createRouterTransport } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UserService } from "../../../gen/signet/v1/user_service_pb.ts";
import {
  AccessError,
  createConnectInterceptor,
  createExpressMiddleware,
  createFastifyHook,
  createTokenVerifier,
  principalOf,
  type SiteTokenVerifier,
  type TokenVerifier,
} from "../../../src/client/index.ts";
import { rejection, until } from "../../support/waiting.ts";
import { FRAMEWORKS, type GuardedApp, type Page } from "./guarded-app.ts";
import { startVerifierSignet, USER_ID, type VerifierSignet } from "./verifier-signet.ts";

const OTHER_ID = "0198c1f0-0000-7000-8000-00000000000a";
const OTHER_SESSION_ID = "0198c1f0-0000-7000-8000-00000000000b";

let signet: VerifierSignet;
let verifier: SiteTokenVerifier;

beforeAll(async () => {
  signet = await startVerifierSignet();
  verifier = signet.verifier();
});

afterAll(() => signet[Symbol.asyncDispose]());

const seconds = () => Math.floor(Date.now() / 1_000);
const bearer = async (claims?: object) => ({
  authorization: `Bearer ${await signet.sign(claims)}`,
});

/** What each kind of bad token is answered with. */
const BAD_TOKENS: Readonly<Record<string, () => Promise<string>>> = {
  "of no kind": async () => "x",
  "that is too long": async () => "x".repeat(5_000),
  "with a second one behind it": async () =>
    `${await signet.sign()}, Bearer ${await signet.sign()}`,
  "that has expired": () => signet.sign({ iat: seconds() - 900, exp: seconds() - 60 }),
  "for another audience": () => signet.sign({ aud: "another" }),
  "of another Site": () => signet.sign({ iss: "https://id.example.com/sites/other" }),
};

describe.each(Object.entries(FRAMEWORKS))("the middleware of %s", (_name, open) => {
  let app: GuardedApp;

  beforeAll(async () => {
    app = await open(verifier);
  });

  afterAll(() => app[Symbol.asyncDispose]());

  test.each<Page>(["user", "anyone", "editor"])("tells the page for %s who asks", async (page) => {
    const { status, userId } = await app.ask(page, await bearer({ roles: ["user", "editor"] }));

    expect([status, userId]).toEqual([200, USER_ID]);
  });

  test("asks for a token where there is none, and names no error", async () => {
    const empty = { authorization: "" };
    const password = { authorization: "Basic YWRhOnNlY3JldA==" };
    const bare = { authorization: "Bearer" };

    for (const headers of [{}, empty, password, bare]) {
      const answer = await app.ask("user", headers);
      expect([answer.status, answer.userId]).toEqual([401, undefined]);
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    }
  });

  test.each(Object.keys(BAD_TOKENS))("refuses a token %s", async (kind) => {
    const headers = { authorization: `Bearer ${await BAD_TOKENS[kind]?.()}` };

    for (const page of ["user", "anyone", "editor"] as const) {
      const answer = await app.ask(page, headers);
      expect([answer.status, answer.userId]).toEqual([401, undefined]);
      expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer error="invalid_token", /);
    }
  });

  test("reads the scheme in any case, before any number of spaces", async () => {
    const token = await signet.sign();

    for (const scheme of ["bearer", "BEARER", "Bearer  "]) {
      const { userId } = await app.ask("user", { authorization: `${scheme} ${token}` });
      expect(userId).toBe(USER_ID);
    }
  });

  test("lets nobody in who has none of the roles", async () => {
    for (const roles of [[], ["user"], ["admin"], ["chief"], ["editor,admin"], ["EDITOR"]]) {
      const answer = await app.ask("editor", await bearer({ roles }));
      expect([answer.status, answer.userId]).toEqual([403, undefined]);
      expect(answer.headers.get("www-authenticate")).toBe('Bearer error="insufficient_scope"');
    }
    const { status } = await app.ask("editor", await bearer({ roles: ["chief:editor"] }));
    expect(status).toBe(200);
  });

  test("lets strangers in where a token is optional", async () => {
    const { status, userId } = await app.ask("anyone");

    expect([status, userId]).toEqual([200, "nobody"]);
  });

  test("believes nothing but the token", async () => {
    const claimed = { "x-user-id": OTHER_ID, "user-id": OTHER_ID, principal: OTHER_ID };

    const known = await app.ask("user", { ...claimed, ...(await bearer()) });
    const unknown = await app.ask("user", claimed);

    expect(known.userId).toBe(USER_ID);
    expect(unknown.status).toBe(401);
  });

  test("has a page fail that asks for a caller without a guard", async () => {
    const { status, userId } = await app.ask("forgotten", await bearer());

    expect([status, userId]).toEqual([500, undefined]);
  });

  test("tells callers apart who ask at the same time", async () => {
    const [one, other] = [await bearer(), await bearer({ sub: OTHER_ID })];

    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) => app.ask("user", n % 2 === 0 ? one : other)),
    );

    const expected = answers.map((_, n) => (n % 2 === 0 ? USER_ID : OTHER_ID));
    expect(answers.map(({ userId }) => userId)).toEqual(expected);
  });

  test("refuses a token once its Session has ended", async () => {
    const sessionId = crypto.randomUUID();
    const headers = await bearer({ sid: sessionId });
    const before = await app.ask("user", headers);

    signet.revoke({ case: "sessionEnded", value: { sessionId } });
    const after = await until(async () => {
      const answer = await app.ask("user", headers);
      return answer.status === 200 ? undefined : answer;
    });

    expect(before.status).toBe(200);
    expect(after.status).toBe(401);
    expect(after.headers.get("www-authenticate")).toMatch(/revoked/);
    expect((await app.ask("user", await bearer({ sid: OTHER_SESSION_ID }))).status).toBe(200);
  });

  test("answers 503 where nothing can be told of tokens, also if they are optional", async () => {
    const issuer = `http://127.0.0.1:1/sites/${OTHER_ID}`;
    await using blind = await open(createTokenVerifier({ issuer, audience: "shop" }));

    for (const page of ["user", "anyone", "editor"] as const) {
      const { status, headers } = await blind.ask(page, await bearer());
      expect([status, headers.get("retry-after")]).toEqual([503, "1"]);
    }
  });

  test("lets nobody in where the verifier has a bug", async () => {
    await using broken = await open(failingVerifier);

    const { status, userId } = await broken.ask("anyone", await bearer());

    expect([status, userId]).toEqual([500, undefined]);
  });
});

const failingVerifier: TokenVerifier = { verify: () => Promise.reject(new Error("a bug")) };

describe("the middleware of Express", () => {
  test("says what is wrong in JSON", async () => {
    await using app = await FRAMEWORKS.express(verifier);

    const { body, headers } = await app.ask("user", await bearer({ aud: "another" }));

    const message = "the access token is for others";
    expect(JSON.parse(body)).toEqual({ error: "audience", message });
    expect(headers.get("content-type")).toBe("application/json");
  });

  test("leaves the answer to the app that asks for it", async () => {
    const passed: unknown[] = [];
    await using app = await FRAMEWORKS.express(verifier, (error, _request, response, _next) => {
      passed.push(error);
      response.redirect(303, "/login");
    });

    await app.ask("user");

    expect(passed).toEqual([expect.any(AccessError)]);
    expect(passed).toMatchObject([{ problem: "no_token", status: 401 }]);
  });
});

describe("the interceptor of Connect", () => {
  test("guards streams as they open", async () => {
    const interceptors = [createConnectInterceptor({ verifier })];
    const transport = createRouterTransport(
      ({ rpc }) =>
        rpc(UserService.method.exportUsers, async function* (_request, { values }) {
          for (let n = 0; n < 3; n++) yield { resumeToken: principalOf(values).userId };
        }),
      { router: { interceptors } },
    );
    const { exportUsers } = createClient(UserService, transport);
    const read = async (headers: Readonly<Record<string, string>>) =>
      await Array.fromAsync(exportUsers({}, { headers }), ({ resumeToken }) => resumeToken);

    const refused = await rejection(read({}));

    expect(refused).toMatchObject({ code: Code.Unauthenticated });
    expect(await read(await bearer())).toEqual([USER_ID, USER_ID, USER_ID]);
  });
});

describe("options by which nobody could pass", () => {
  const create = [createExpressMiddleware, createFastifyHook, createConnectInterceptor];

  test.each(create)("are refused by %o", (factory) => {
    expect(() => factory({ verifier, roles: [] })).toThrow(TypeError);
    expect(() => factory({ verifier, roles: ["editor"], optional: true })).toThrow(TypeError);
  });
});
