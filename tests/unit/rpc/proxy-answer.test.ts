import { describe, expect, test } from "vitest";
import { Failure, invalidField } from "../../../src/model/failure.ts";
import { newId, type SiteId, type UserId } from "../../../src/model/id.ts";
import type {
  Identity,
  ProxiedRequest,
  ProxyVerdict,
  RouteRequirements,
} from "../../../src/model/proxied-request.ts";
import { createProxyAnswers } from "../../../src/rpc/proxy-answer.ts";

const REQUEST: ProxiedRequest = {
  authorizations: [],
  cookies: "",
  method: "GET",
  accept: "",
  target: { scheme: "", host: "", path: "" },
};
const NOTHING_ASKED: RouteRequirements = { roles: [], siteIds: [], audience: "", redirects: false };
const ADA: Identity = {
  userId: newId<UserId>(),
  siteId: newId<SiteId>(),
  email: "ada@example.com",
  roles: ["admin", "user"],
  token: "",
};

function answersTo(judge: () => Promise<ProxyVerdict>, isStarted = true) {
  const answer = createProxyAnswers({ judge, isStarted: () => isStarted });
  return (requirements = () => NOTHING_ASKED) => answer(REQUEST, requirements);
}

const passing = (identity: Identity) => async () => ({ kind: "passed", identity }) as const;

describe("a proxy", () => {
  test("is told nothing before the log has been read", async () => {
    const answer = await answersTo(passing(ADA), false)();

    expect(answer).toMatchObject({ status: 503, headers: { "retry-after": "1" } });
  });

  test("is told to try again while the database is away", async () => {
    const judge = () => Promise.reject(new Failure("unavailable"));

    expect(await answersTo(judge)()).toMatchObject({ status: 503, error: "unavailable" });
  });

  test("is told nothing of a bug", async () => {
    const judge = () => Promise.reject(new TypeError("a bug"));

    await expect(answersTo(judge)()).rejects.toThrow("a bug");
  });

  test("is told what cannot be understood, before anybody is judged", async () => {
    const judge = () => Promise.reject(new Error("judged"));
    const read = () => {
      throw invalidField("role", "must be right");
    };

    const answer = await answersTo(judge)(read);

    expect(answer).toMatchObject({ status: 400, error: "role must be right" });
  });

  test.each([
    ["a@b.c\r\nX-User-Role: admin", "a@b.c%0D%0AX-User-Role:%20admin"],
    ["a%0d%0a@b.c", "a%250d%250a@b.c"],
    ["ä\u0000\u007f€", "%C3%A4%00%7F%E2%82%AC"],
    ["o'neill+x/y=z@b.c", "o'neill+x/y=z@b.c"],
  ])("gets values that a header can hold: %j", async (email, value) => {
    const { headers } = await answersTo(passing({ ...ADA, email }))();

    expect(headers["x-user-email"]).toBe(value);
    expect(decodeURIComponent(value)).toBe(email);
  });

  test("gets every header of an identity, whatever there is to say", async () => {
    const nobody = { ...ADA, email: "", roles: [] };

    const { headers } = await answersTo(passing(nobody))();

    expect(headers).toMatchObject({
      "x-user-id": ADA.userId,
      "x-user-email": "",
      "x-user-role": "",
      "x-site-id": ADA.siteId,
      "x-identity-token": "",
    });
  });
});
