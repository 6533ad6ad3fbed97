import { describe, expect, test } from "vitest";
import type { AdminCaller, Tokens } from "../../../src/console/session/caller.ts";
import { createSession } from "../../../src/console/session/session.ts";

const HOUR_MS = 3_600_000;

function admin(accessTokenExpireMs: number): AdminCaller {
  const tokens = { accessToken: "first", accessTokenExpireMs, refreshToken: "refresh" };
  return { kind: "admin", siteId: "1", name: "grace", mfaEnabled: false, tokens };
}

const renewed = async (): Promise<Tokens> => ({
  accessToken: "second",
  accessTokenExpireMs: Date.now() + HOUR_MS,
  refreshToken: "next refresh",
});

const refused = (): Promise<Tokens> => Promise.reject(new Error("the Session has ended"));

describe("the holder of the credential", () => {
  test("renews an access token that is about to expire, once for all calls", async () => {
    const used: string[] = [];
    const session = createSession(async (_siteId, refreshToken) => {
      used.push(refreshToken);
      return await renewed();
    });
    session.begin(admin(Date.now() + 1_000));

    const credentials = await Promise.all([session.credential(), session.credential()]);

    expect(credentials).toEqual(["second", "second"]);
    expect(used).toEqual(["refresh"]);
  });

  test("leaves an access token alone that is good for longer, and an operator's key", async () => {
    const session = createSession(refused);

    session.begin(admin(Date.now() + HOUR_MS));
    expect(await session.credential()).toBe("first");
    session.begin({ kind: "operator", key: "sgn_key" });
    expect([await session.credential(), await session.renew()]).toEqual(["sgn_key", false]);
  });

  test("forgets everything at the end, also what a refresh brings after it", async () => {
    const answer = Promise.withResolvers<Tokens>();
    const session = createSession(() => answer.promise);
    session.begin(admin(0));
    const renewal = session.renew();

    session.end("signed_out");
    answer.resolve(await renewed());

    expect(await renewal).toBe(false);
    expect(session.state()).toEqual({ caller: undefined, end: "signed_out" });
    expect(await session.credential()).toBeUndefined();
  });

  test("tells its listeners of each change, until they leave", () => {
    const session = createSession(refused);
    let changes = 0;
    const leave = session.subscribe(() => {
      changes += 1;
    });

    session.begin(admin(0));
    session.prove("proved", 1);
    leave();
    session.end("expired");

    expect(changes).toBe(2);
  });
});
