import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { InvalidTokenReason } from "../../gen/signet/v1/auth_service_pb.ts";
import { ChangeKind, GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import { WatchStart } from "../../gen/signet/v1/sync_service_pb.ts";
import {
  type Clients,
  createKey,
  createSite,
  grpcClients,
  openSite,
  patiently,
  refusal,
  refusalOf,
  signUp,
  type TestSite,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { mailTo, type SmtpMailbox, startSmtpMailbox } from "../support/mailbox.ts";
import { createServiceKeys, startService, type TestService } from "../support/service.ts";
import { until } from "../support/waiting.ts";
import { openWatch } from "../support/watch.ts";

let database: TestDatabase;
let mailbox: SmtpMailbox;
let first: TestService;
let second: TestService;
let site: TestSite;
/** The same key, at each process. */
let here: Clients;
let there: Clients;

beforeAll(async () => {
  database = await openTestDatabase();
  mailbox = await startSmtpMailbox();
  const keys = createServiceKeys();
  const env = { SMTP_URL: mailbox.url, SMTP_FROM: "signet@example.com" };
  const options = { databaseUrl: database.appUrl, keys, env };
  [first, second] = await Promise.all([startService(options), startService(options)]);
  site = await openSite(createGrpcTransport({ baseUrl: first.url }), first.operatorKey);
  here = site.backend;
  there = grpcClients(second.url, site.key);
});

afterAll(async () => {
  await Promise.all([first, second].map((service) => service[Symbol.asyncDispose]()));
  await mailbox[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

describe("what one process does", () => {
  test("ends a Session at the other within 1 s", async () => {
    const { accessToken, refreshToken } = await signUp(here);
    const { result: before } = await there.auth.validateToken({ token: accessToken });
    await here.auth.logout({ refreshToken });
    const refused = await until(async () => {
      const { result } = await there.auth.validateToken({ token: accessToken });
      return result.case === "invalid" ? result.value : undefined;
    }, 1_000);

    expect(before.case).toBe("valid");
    expect(refused.reason).toBe(InvalidTokenReason.REVOKED);
    expect(await refusal(there.auth.refreshToken({ refreshToken }))).toMatchObject({
      reason: "REFRESH_TOKEN_INVALID",
    });
  });

  test("ends a key at the other within 1 s, for calls and for open streams", async () => {
    const operator = grpcClients(first.url, first.operatorKey);
    const scopes = [...SYNC_AND_ADMIN];
    const key = await operator.sites.createApiKey({ siteId: site.siteId, label: "short", scopes });
    const client = grpcClients(second.url, key.secret);
    await using watch = openWatch(client, { start: WatchStart.HEAD });
    await watch.next("hello");

    await operator.sites.revokeApiKey({ siteId: site.siteId, apiKeyId: key.apiKey?.id ?? "" });
    const goodbye = await watch.next("goodbye");
    await until(async () => {
      const error: unknown = await client.sites.getSite({}).catch((reason: unknown) => reason);
      return error instanceof Error && refusalOf(error).reason === "CREDENTIAL_INVALID";
    }, 1_000);

    expect(goodbye).toMatchObject({ reason: GoodbyeReason.REAUTHENTICATE });
    expect(goodbye.cursor).not.toBe("");
  });

  test("reaches a stream of the other, in order", async () => {
    const { key } = await openSite(createGrpcTransport({ baseUrl: first.url }), first.operatorKey);
    const [writer, reader] = [grpcClients(first.url, key), grpcClients(second.url, key)];
    await using watch = openWatch(reader, { start: WatchStart.HEAD });
    await watch.next("hello");

    const { user } = await writer.users.createUser({ email: uniqueEmail() });
    await writer.users.updateUser({ userId: user?.id ?? "", displayName: "Ada" });
    await writer.users.deleteUser({ userId: user?.id ?? "" });
    const kinds: ChangeKind[] = [];
    while (kinds.length < 3) {
      const { changes } = await watch.next("changeBatch");
      kinds.push(...changes.map(({ kind }) => kind));
    }

    expect(kinds).toEqual([ChangeKind.CREATED, ChangeKind.UPDATED, ChangeKind.DELETED]);
  });
});

describe("20 calls at once over both processes", () => {
  test("with one refresh token agree on one successor, and the Session goes on", async () => {
    const { refreshToken, accessToken } = await signUp(here);

    const answers = await atOnce((auth) => auth.refreshToken({ refreshToken }));
    const successors = new Set(answers.map(({ tokens }) => tokens?.refreshToken));
    const [successor = ""] = successors;
    const { result } = await there.auth.validateToken({ token: accessToken });

    expect(successors.size).toBe(1);
    expect(result.case).toBe("valid");
    await expect(there.auth.refreshToken({ refreshToken: successor })).resolves.toBeDefined();
  });

  test("with one token of a mail verify the address once", async () => {
    const email = uniqueEmail();
    const password = unique("correct horse");
    await here.auth.register({ email, password });
    const { token } = await mailTo(() => mailbox.mails, email);

    const outcomes = await atOnce((auth) =>
      auth.verifyEmail({ token }).then(
        () => "verified",
        (error: unknown) => refusalOf(error).reason,
      ),
    );
    const { user } = await there.users.lookupUser({
      user: { ref: { case: "email", value: email } },
    });

    expect(outcomes.filter((outcome) => outcome === "verified")).toHaveLength(1);
    expect(new Set(outcomes)).toEqual(new Set(["verified", "ONE_TIME_TOKEN_INVALID"]));
    expect(user?.emailVerified).toBe(true);
  });

  // A password is hashed first, so that not all come to the database at the same instant.
  test.each([
    ["a password", unique("correct horse")],
    ["no password", ""],
  ])("with one new address and %s make one User, and mail nobody else", async (_, password) => {
    const operator = grpcClients(first.url, first.operatorKey);
    const siteId = await createSite(operator);
    const key = await createKey(operator, siteId);
    const email = uniqueEmail();

    const answers = await atOnce(
      (auth) => patiently(() => auth.register({ email, password })),
      [grpcClients(first.url, key), grpcClients(second.url, key)],
    );
    const changes = await runAsAdmin<{ kind: string }>(
      database.adminUrl,
      `select kind from signet.changes where site_id = '${siteId}' and user_id is not null`,
    );
    await until(async () => (await runAsAdmin(database.adminUrl, JOBS)).length === 0);

    expect(new Set(answers.map((answer) => answer.userId)).size).toBe(1);
    expect(changes).toEqual([{ kind: "user_created" }]);
    expect(mailbox.mails.filter(({ to }) => to === email)).toHaveLength(1);
  });
});

const JOBS = "select id from graphile_worker.jobs";
const SYNC_AND_ADMIN = [Scope.SYNC, Scope.SITE_ADMIN] as const;

/** Makes the call 20 times at once, at each process in turn. */
function atOnce<T>(
  call: (auth: Clients["auth"]) => Promise<T>,
  [one, other]: readonly [Clients, Clients] = [here, there],
): Promise<T[]> {
  return Promise.all(Array.from({ length: 20 }, (_, n) => call((n % 2 === 0 ? one : other).auth)));
}
