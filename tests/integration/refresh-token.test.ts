import { afterAll, describe, expect, test } from "vitest";
import { withDirectClient } from "../../src/store/direct-client.ts";
import { logIn, refusal, type SignedIn, signUp } from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { openSiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

const INVALID = { code: "Unauthenticated", reason: "REFRESH_TOKEN_INVALID" };

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { database } = opened;
const { backend } = opened.site;

describe("a refresh token", () => {
  test("gives the next pair of the same Session", async () => {
    const first = await signUp(backend);
    const second = await backend.auth.refreshToken({ refreshToken: first.refreshToken });
    const token = second.tokens?.accessToken ?? "";
    const { result } = await backend.auth.validateToken({ token });

    expect(second).toMatchObject({ sessionId: first.sessionId, userId: first.userId });
    expect(second.tokens?.refreshToken).not.toBe(first.refreshToken);
    expect(result).toMatchObject({ case: "valid", value: { sessionId: first.sessionId } });
  });

  test("gives the same successor again while its grace lasts", async () => {
    const { refreshToken } = await signUp(backend);
    const first = await refresh(refreshToken);
    const again = await refresh(refreshToken);

    expect(again).toBe(first);
  });

  test("waits for its Session before it holds its own row", async () => {
    const { refreshToken, sessionId } = await signUp(backend);
    const options = { url: database.adminUrl, name: "signet tests" };

    const { refreshed } = await withDirectClient(options, async (client) => {
      await client.query("begin");
      await client.query(`select from signet.sessions where id = '${sessionId}' for update`);
      const waiting = refresh(refreshToken);
      await until(isRefreshWaiting);
      await client.query(
        `select from signet.refresh_tokens where session_id = '${sessionId}' for update nowait`,
      );
      return { refreshed: waiting }; // It goes on when this connection ends.
    });

    await expect(refreshed).resolves.toBeDefined();
  });

  test("used again after its grace ends its Session, and no other", async () => {
    const stolen = await signUp(backend);
    const elsewhere = await logIn(backend, stolen.email, stolen.password);
    const successor = await refresh(stolen.refreshToken);
    await letGracePass(stolen);

    const refused = await refusal(refresh(stolen.refreshToken));
    const ofSuccessor = await refusal(refresh(successor));
    await untilRevoked(stolen.accessToken);
    const { result } = await backend.auth.validateToken({ token: elsewhere.accessToken });

    expect(refused).toMatchObject(INVALID);
    expect(ofSuccessor).toEqual(refused);
    expect(result.case).toBe("valid");
    await expect(refresh(elsewhere.refreshToken)).resolves.toBeDefined();
  });

  test("used again after its successor ends the Session, even within the grace", async () => {
    const { refreshToken, accessToken } = await signUp(backend);
    const second = await refresh(refreshToken);
    const third = await refresh(second);

    expect(await refusal(refresh(refreshToken))).toMatchObject(INVALID);
    expect(await refusal(refresh(third))).toMatchObject(INVALID);
    await untilRevoked(accessToken);
  });

  test("leaves an audit event when it is used again", async () => {
    const { refreshToken, sessionId } = await signUp(backend);
    await refresh(await refresh(refreshToken));
    await refusal(refresh(refreshToken));

    const events = await runAsAdmin<{ kind: string; details: unknown }>(
      database.adminUrl,
      `select kind, details from signet.audit_events where kind = 'refresh_token.reused'
          and details->>'session_id' = '${sessionId}'`,
    );

    expect(events).toHaveLength(1);
  });

  test("is refused alike, whether unknown, malformed or of an ended Session", async () => {
    const { refreshToken } = await signUp(backend);
    await backend.auth.logout({ refreshToken });
    const refused = await refusal(refresh(refreshToken));

    expect(refused).toMatchObject(INVALID);
    expect(await refusal(refresh(`${refreshToken.slice(0, -4)}AAAA`))).toEqual(refused);
    expect(await refusal(refresh("sgn_rt_x"))).toEqual(refused);
    expect(await refusal(refresh("x".repeat(5_000)))).toEqual(refused);
  });

  test("is refused once the Session has idled too long", async () => {
    const { refreshToken, sessionId } = await signUp(backend);
    await changeSession(sessionId, "idle_expire_time = now() - interval '1 s'");

    expect(await refusal(refresh(refreshToken))).toMatchObject(INVALID);
  });

  test("never outlives the absolute end of its Session", async () => {
    const { refreshToken, sessionId } = await signUp(backend);
    await changeSession(sessionId, "absolute_expire_time = now() + interval '1 min'");
    const { tokens } = await backend.auth.refreshToken({ refreshToken });
    const seconds = Number(tokens?.refreshTokenExpireTime?.seconds ?? 0n);

    expect(seconds).toBeGreaterThan(Date.now() / 1_000);
    expect(seconds).toBeLessThanOrEqual(Date.now() / 1_000 + 60);
  });

  test("is refused once its User is deleted, and so is the access token", async () => {
    const { refreshToken, accessToken, userId } = await signUp(backend);
    await backend.users.deleteUser({ userId });

    expect(await refusal(refresh(refreshToken))).toMatchObject(INVALID);
    await untilRevoked(accessToken);
  });

  test("is stored neither itself nor its successor in clear", async () => {
    const { refreshToken } = await signUp(backend);
    const successor = await refresh(refreshToken);
    const rows = await runAsAdmin<{ text: string }>(
      database.adminUrl,
      "select encode(successor_sealed, 'escape') || encode(token_hash, 'escape') as text" +
        " from signet.refresh_tokens where use_time is not null",
    );

    expect(rows.length).toBeGreaterThan(0);
    for (const { text } of rows) {
      for (const token of [refreshToken, successor]) expect(text).not.toContain(token.slice(0, 20));
    }
  });
});

describe("a role taken away", () => {
  test("voids access tokens; the Session goes on with the new roles", async () => {
    const { accessToken, refreshToken, userId } = await signUp(backend);
    await backend.users.updateUser({ userId, roles: { roles: ["editor", "user"] } });
    await untilRevoked(accessToken);
    const { tokens } = await backend.auth.refreshToken({ refreshToken });
    const token = tokens?.accessToken ?? "";
    const { result } = await backend.auth.validateToken({ token });

    expect(result).toMatchObject({ case: "valid", value: { roles: ["editor", "user"] } });
  });
});

/** Returns the successor. */
async function refresh(refreshToken: string): Promise<string> {
  const { tokens } = await backend.auth.refreshToken({ refreshToken });
  return tokens?.refreshToken ?? "";
}

async function isRefreshWaiting(): Promise<boolean> {
  const waiting = await runAsAdmin(
    database.adminUrl,
    `select from pg_stat_activity where datname = current_database()
        and wait_event_type = 'Lock' and query like '%refresh_tokens%'`,
  );
  return waiting.length > 0;
}

async function letGracePass({ sessionId }: SignedIn): Promise<void> {
  await runAsAdmin(
    database.adminUrl,
    `update signet.refresh_tokens set use_time = use_time - interval '11 s'
      where session_id = '${sessionId}' and use_time is not null`,
  );
}

async function changeSession(sessionId: string, assignment: string): Promise<void> {
  await runAsAdmin(
    database.adminUrl,
    `update signet.sessions set ${assignment} where id = '${sessionId}'`,
  );
}

/** The promise is one second; a longer wait fails. */
async function untilRevoked(token: string): Promise<void> {
  await until(async () => {
    const { result } = await backend.auth.validateToken({ token });
    return result.case === "invalid";
  }, 1_000);
}
