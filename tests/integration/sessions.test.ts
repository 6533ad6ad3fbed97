import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { UserState } from "../../gen/signet/v1/user_pb.ts";
import {
  type Clients,
  createKey,
  grpcClients,
  logIn,
  openSite,
  refusal,
  signUp,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { openSiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { service, operator, site } = opened;
const { backend } = site;

describe("the Sessions of a User", () => {
  test("are listed by the User, the newest first, page by page", async () => {
    const person = await signUp(backend);
    const others = [];
    for (let n = 0; n < 4; n += 1) others.push(await logIn(backend, person.email, person.password));
    const { auth } = grpcClients(service.url, person.accessToken);

    const listed = [];
    for (let pageToken = ""; ; ) {
      const page = await auth.listSessions({ pageSize: 2, pageToken });
      listed.push(...page.sessions);
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }

    const ids = [...others.map(({ sessionId }) => sessionId).reverse(), person.sessionId];
    expect(listed.map(({ id }) => id)).toEqual(ids);
    expect(listed.filter(({ current }) => current).map(({ id }) => id)).toEqual([person.sessionId]);
  });

  test("are nobody else's business, but an admin's and a backend's", async () => {
    const [person, other] = [await signUp(backend), await signUp(backend)];
    const admin = await signUpAdmin();
    const { auth } = grpcClients(service.url, other.accessToken);
    const { userId, sessionId } = person;

    expect(await refusal(auth.listSessions({ userId }))).toMatchObject({
      reason: "ACCESS_DENIED",
    });
    expect(await refusal(auth.revokeSession({ sessionId }))).toMatchObject({
      reason: "SESSION_NOT_FOUND",
    });
    expect(await refusal(auth.revokeAllSessions({ userId }))).toMatchObject({
      reason: "ACCESS_DENIED",
    });
    expect((await admin.auth.listSessions({ userId })).sessions).toHaveLength(1);
    expect((await backend.auth.listSessions({ userId })).sessions).toHaveLength(1);
  });

  test("of another Site do not exist", async () => {
    const foreign = await openSite(
      createGrpcTransport({ baseUrl: service.url }),
      service.operatorKey,
    );
    const { userId, sessionId } = await signUp(foreign.backend);

    expect(await refusal(backend.auth.listSessions({ userId }))).toMatchObject({
      reason: "USER_NOT_FOUND",
    });
    expect(await refusal(backend.auth.revokeSession({ sessionId }))).toMatchObject({
      reason: "SESSION_NOT_FOUND",
    });
  });

  test("end one by one, with their tokens", async () => {
    const person = await signUp(backend);
    const other = await logIn(backend, person.email, person.password);
    const { auth } = grpcClients(service.url, person.accessToken);

    await auth.revokeSession({ sessionId: other.sessionId });
    await auth.revokeSession({ sessionId: other.sessionId });

    await isRefused(other);
    expect((await auth.listSessions({})).sessions.map(({ id }) => id)).toEqual([person.sessionId]);
  });

  test("end all but the caller's own", async () => {
    const person = await signUp(backend);
    const others = [
      await logIn(backend, person.email, person.password),
      await logIn(backend, person.email, person.password),
    ];
    const { auth } = grpcClients(service.url, person.accessToken);

    const { endedSessions } = await auth.revokeAllSessions({ keepCurrent: true });

    expect(endedSessions).toBe(2);
    for (const other of others) await isRefused(other);
    const { result } = await backend.auth.validateToken({ token: person.accessToken });
    expect(result.case).toBe("valid");
  });

  test("end all at once, also by a backend that may write Users", async () => {
    const person = await signUp(backend);
    const scopes = [Scope.USERS_READ];
    const reader = grpcClients(service.url, await createKey(operator, site.siteId, { scopes }));
    const { userId } = person;

    expect(await refusal(reader.auth.revokeAllSessions({ userId }))).toMatchObject({
      reason: "ACCESS_DENIED",
    });
    const { endedSessions } = await backend.auth.revokeAllSessions({ userId });

    expect(endedSessions).toBe(1);
    await isRefused(person);
  });
});

describe("a User that is disabled", () => {
  test("loses its Sessions, and signs in again only once it is enabled", async () => {
    const person = await signUp(backend);
    const { userId, email, password } = person;

    const disabled = await backend.users.disableUser({ userId });
    const refused = await refusal(logIn(backend, email, password));
    await isRefused(person);
    const again = await backend.users.disableUser({ userId });
    const enabled = await backend.users.enableUser({ userId });

    expect(disabled.user?.state).toBe(UserState.DISABLED);
    expect(again.user?.version).toBe(disabled.user?.version);
    expect(refused).toMatchObject({ reason: "LOGIN_FAILED" });
    expect(enabled.user?.state).toBe(UserState.ACTIVE);
    await expect(logIn(backend, email, password)).resolves.toBeDefined();
  });

  test("is invited again where it had not accepted", async () => {
    const { user } = await backend.users.inviteUser({ email: uniqueEmail() });
    const userId = user?.id ?? "";

    await backend.users.disableUser({ userId });
    const enabled = await backend.users.enableUser({ userId });

    expect(enabled.user?.state).toBe(UserState.INVITED);
  });

  test("is never the last admin", async () => {
    const alone = await openSite(
      createGrpcTransport({ baseUrl: service.url }),
      service.operatorKey,
    );
    const { userId } = await signUp(alone.backend);
    await alone.backend.users.updateUser({ userId, roles: { roles: ["admin"] } });

    expect(await refusal(alone.backend.users.disableUser({ userId }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "LAST_ADMIN",
    });
  });
});

describe("a token for another audience", () => {
  test("is good there alone, belongs to the Session, and outlives nothing", async () => {
    const { accessToken, sessionId } = await signUp(backend);
    const own = grpcClients(service.url, accessToken);

    const exchanged = await own.auth.exchangeToken({ audience: "reports" });
    const token = exchanged.accessToken;
    const there = await backend.auth.validateToken({ token, audience: "reports" });
    const elsewhere = await backend.auth.validateToken({ token });
    const asCaller = await refusal(grpcClients(service.url, token).auth.listSessions({}));
    await own.auth.logout({});

    expect(there.result).toMatchObject({ case: "valid", value: { sessionId } });
    expect(elsewhere.result.case).toBe("invalid");
    expect(asCaller).toMatchObject({ reason: "CREDENTIAL_INVALID" });
    await until(async () => {
      const { result } = await backend.auth.validateToken({ token, audience: "reports" });
      return result.case === "invalid";
    });
  });

  test.each([
    ["audience", { audience: "" }],
    ["lifetime_seconds", { audience: "reports", lifetimeSeconds: 9 }],
    ["lifetime_seconds", { audience: "reports", lifetimeSeconds: 86_400 }],
  ])("with a bad %s is refused", async (field, request) => {
    const { accessToken } = await signUp(backend);

    const refused = grpcClients(service.url, accessToken).auth.exchangeToken(request);

    expect(await refusal(refused)).toMatchObject({ reason: "INVALID_FIELD", metadata: { field } });
  });
});

async function isRefused(session: { accessToken: string; refreshToken: string }): Promise<void> {
  const { refreshToken, accessToken } = session;
  expect(await refusal(backend.auth.refreshToken({ refreshToken }))).toMatchObject({
    reason: "REFRESH_TOKEN_INVALID",
  });
  await until(async () => {
    const { result } = await backend.auth.validateToken({ token: accessToken });
    return result.case === "invalid";
  });
}

async function signUpAdmin(): Promise<Clients> {
  const { userId, email, password } = await signUp(backend, `${unique("admin")}@example.com`);
  await backend.users.updateUser({ userId, roles: { roles: ["admin"] } });
  const { accessToken } = await logIn(backend, email, password);
  return grpcClients(service.url, accessToken);
}
