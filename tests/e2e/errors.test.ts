import { randomUUID } from "node:crypto";
import { ConnectError } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import {
  createKey,
  grpcClients,
  openSite,
  refusal,
  signUp,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { callJson } from "../support/json-call.ts";
import { openSiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";
import { openWatch } from "../support/watch.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { database, service, operator, site } = opened;
const { backend } = site;

describe("a bad field", () => {
  const email = "ada@example.com";
  const long = "x".repeat(201);
  const tooMany = Array.from({ length: 501 }, () => randomUUID());
  const cases: readonly (readonly [string, () => Promise<unknown>])[] = [
    ["email", () => backend.users.createUser({ email: "not an address" })],
    ["email", () => backend.users.createUser({})],
    ["id", () => backend.users.createUser({ email, id: "42" })],
    ["display_name", () => backend.users.createUser({ email, displayName: long })],
    ["picture_url", () => backend.users.createUser({ email, pictureUrl: "http://a.example/b" })],
    ["locale", () => backend.users.createUser({ email, locale: "not a tag" })],
    ["roles", () => backend.users.createUser({ email, roles: ["Not A Role"] })],
    ["metadata", () => backend.users.createUser({ email, metadata: { x: "y".repeat(8_200) } })],
    ["metadata.x", () => backend.users.createUser({ email, metadata: { x: "\0" } })],
    ["user_id", () => backend.users.updateUser({ userId: "" })],
    ["user_id", () => backend.users.deleteUser({ userId: "'; drop table users" })],
    ["user_ids", () => backend.users.batchGetUsers({})],
    ["user_ids", () => backend.users.batchGetUsers({ userIds: tooMany })],
    ["email", () => backend.auth.login({ password: "x" })],
    ["password", () => backend.auth.register({ email, password: "short" })],
    ["redirect_url", () => backend.auth.register({ email, redirectUrl: "https://evil.example" })],
    ["token", () => backend.auth.validateToken({})],
    ["token", () => backend.auth.verifyEmail({})],
    ["refresh_token", () => backend.auth.refreshToken({})],
    ["refresh_token", () => backend.auth.logout({})],
    ["heartbeat_seconds", () => firstFrame({ heartbeatSeconds: 16 })],
    ["client_id", () => firstFrame({ clientId: "x".repeat(65) })],
    ["site_id", () => operator.users.createUser({ email })],
    ["site_id", () => operator.users.createUser({ siteId: "x", email })],
    ["name", () => operator.sites.createSite({ frontendUrl: "https://a.example" })],
    ["frontend_url", () => operator.sites.createSite({ name: "A" })],
    ["scopes", () => operator.sites.createApiKey({ siteId: site.siteId, label: "a" })],
  ];

  test.each(cases)("is named: %s", async (field, call) => {
    const refused = await refusal(call());

    expect(refused.code).toBe("InvalidArgument");
    expect(refused.metadata.problem).toMatch(/^[a-z]/);
    expect(refused.metadata.field).toBe(field);
  });
});

describe("a wrong credential", () => {
  test("fails alike, whatever is wrong with it", async () => {
    const { accessToken } = await signUp(backend);
    const other = await openSite(
      createGrpcTransport({ baseUrl: service.url }),
      service.operatorKey,
    );
    const credentials = [
      "x",
      "sgn_site_x",
      `${site.key.slice(0, -2)}AA`,
      `sgn_op_${"A".repeat(43)}`,
      `${accessToken.slice(0, -4)}AAAA`,
      accessToken.replace(/^[^.]+/, Buffer.from('{"alg":"none"}').toString("base64url")),
      other.key.replace(other.key.slice(9, 30), site.key.slice(9, 30)),
    ];
    const answers = await Promise.all(
      credentials.map((credential) =>
        callJson(service.url, "signet.v1.SiteService/GetSite", {}, credential),
      ),
    );

    for (const { status } of answers) expect(status).toBe(401);
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    expect(answers[0]?.json).toMatchObject({ code: "unauthenticated" });
  });
});

describe("a failed login", () => {
  test("answers to the byte alike for an unknown User and for a wrong password", async () => {
    const { email } = await signUp(backend);
    const password = unique("wrong");
    const attempts = [
      { email, password },
      { email: uniqueEmail(), password },
      { username: unique("nobody"), password },
    ];
    const answers = await Promise.all(
      attempts.map((attempt) =>
        callJson(service.url, "signet.v1.AuthService/Login", attempt, site.key),
      ),
    );
    const seen = answers.map(({ status, headers, body }) => {
      const { date: _date, "x-request-id": _requestId, ...rest } = headers;
      return { status, headers: rest, body };
    });

    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]).toEqual(seen[0]);
    expect(seen[0]?.status).toBe(401);
    expect(seen[0]?.body).toContain("LOGIN_FAILED");
  });
});

describe("what another User has", () => {
  test("fails with the reason of the field", async () => {
    const taken = { email: uniqueEmail(), username: unique("u"), externalId: unique("x") };
    await backend.users.createUser(taken);
    const reasons = await Promise.all([
      refusal(backend.users.createUser({ email: taken.email })),
      refusal(backend.users.createUser({ email: uniqueEmail(), username: taken.username })),
      refusal(backend.users.createUser({ email: uniqueEmail(), externalId: taken.externalId })),
    ]);

    expect(reasons.map(({ code, reason }) => [code, reason])).toEqual([
      ["AlreadyExists", "EMAIL_TAKEN"],
      ["AlreadyExists", "USERNAME_TAKEN"],
      ["AlreadyExists", "EXTERNAL_ID_TAKEN"],
    ]);
  });
});

describe("a bug", () => {
  test("answers with INTERNAL and an incident id under which the log has the rest", async () => {
    const { user } = await backend.users.createUser({ email: uniqueEmail() });
    await runAsAdmin(database.adminUrl, "alter table signet.users rename to users_away");
    const ref = { case: "id", value: user?.id ?? "" } as const;
    const error: unknown = await backend.users
      .lookupUser({ user: { ref } })
      .catch((reason: unknown) => reason)
      .finally(() =>
        runAsAdmin(database.adminUrl, "alter table signet.users_away rename to users"),
      );
    const refused = await refusal(Promise.reject(error));
    const incidentId = refused.metadata.incident_id ?? "missing";
    const logged = await until(() =>
      service
        .stderr()
        .split("\n")
        .find((line) => line.includes(incidentId)),
    );

    expect(refused).toMatchObject({ code: "Internal", reason: "INTERNAL", retryDelayMs: 0 });
    expect(Object.keys(refused.metadata)).toEqual(["incident_id"]);
    expect(ConnectError.from(error).rawMessage).toBe("internal error");
    expect(JSON.stringify([...ConnectError.from(error).metadata])).not.toMatch(/select|users|\.ts/);
    expect(JSON.parse(logged)).toMatchObject({ level: 50, incidentId, err: { code: "42P01" } });
    expect(logged).toContain("findUser");
    await expect(backend.users.lookupUser({ user: { ref } })).resolves.toBeDefined();
  });
});

describe("the log", () => {
  test("holds one line for each call, and no secret", async () => {
    const narrow = await createKey(operator, site.siteId, { scopes: [Scope.AUTH] });
    const { email, password, accessToken, refreshToken } = await signUp(backend);
    await refusal(grpcClients(service.url, narrow).users.createUser({ email }));
    await grpcClients(service.url, narrow).auth.logout({ refreshToken });
    const line = await until(() => service.stderr().includes('"reason":"access_denied"'));

    expect(line).toBe(true);
    for (const secret of [password, accessToken, refreshToken, narrow, site.key, email]) {
      expect(service.stderr()).not.toContain(secret);
    }
  });
});

async function firstFrame(request: Parameters<typeof openWatch>[1]): Promise<unknown> {
  await using watch = openWatch(backend, request);
  return await watch.next("hello");
}
