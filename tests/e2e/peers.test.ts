import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { PeerProblem } from "../../gen/signet/v1/change_pb.ts";
import { MfaPolicy } from "../../gen/signet/v1/site_pb.ts";
import { UserOriginKind } from "../../gen/signet/v1/user_pb.ts";
import { challengeOf, codeAt, signUpWithFactor } from "../support/authenticator.ts";
import {
  type Clients,
  createKey,
  grpcClients,
  refusal,
  signUp,
  uniqueEmail,
} from "../support/builders.ts";
import {
  countRows,
  countUsers,
  holdGuesses,
  logInAt,
  type OwnSignet,
  openOwnSignet,
  peerEntry,
} from "../support/peered-sites.ts";
import { runSignetProcess } from "../support/programs.ts";

/** Users register at A and sign in at B, which has two processes; C asks both. */
let a: OwnSignet;
let b: OwnSignet;
let c: OwnSignet;

beforeAll(async () => {
  [a, b, c] = await Promise.all([openOwnSignet(), openOwnSignet(), openOwnSignet()]);
  await b.restart([await peerEntry(b, a)], 2);
  await c.restart([
    await peerEntry(c, a, { name: "a", email_domains: ["example.com"] }),
    await peerEntry(c, b, { name: "b", user_fields: ["email", "email_verified"] }),
  ]);
});

afterAll(async () => {
  await Promise.all([a, b, c].map((signet) => signet[Symbol.asyncDispose]()));
});

const REFUSED = { code: "Unauthenticated", reason: "LOGIN_FAILED" };

describe("a login at B of somebody who is known at A alone", () => {
  test("makes one copy, which says where it came from and has no roles of there", async () => {
    const ada = await signUp(a.backend);
    const { userId: sourceUserId } = ada;
    const roles = { roles: ["admin", "user"] };
    await a.operator.users.updateUser({
      siteId: a.siteId,
      userId: sourceUserId,
      displayName: "Ada",
      roles,
    });

    const { userId } = await logInAt(b.backend, ada);

    const { user } = await b.backend.users.getUser({ userId });
    expect(userId).not.toBe(sourceUserId);
    expect(user).toMatchObject({
      email: ada.email,
      emailVerified: true,
      displayName: "Ada",
      roles: ["user"],
      origin: { kind: UserOriginKind.PEER, source: "shop", sourceUserId },
    });
  });

  test("is refused with a wrong password, which counts at A", async () => {
    const ada = await signUp(a.backend);

    const failed = refusal(logInAt(b.backend, { ...ada, password: "not the password" }));

    expect(await failed).toMatchObject(REFUSED);
    const { signIn } = await a.operator.users.getUser({ siteId: a.siteId, userId: ada.userId });
    expect(signIn?.failedLogins).toBe(1);
    expect(await countUsers(b, ada.email)).toBe(0);
  });

  test("is refused where nobody knows the address, and where A has disabled it", async () => {
    const ada = await signUp(a.backend);
    await a.backend.users.disableUser({ userId: ada.userId });

    const disabled = await refusal(logInAt(b.backend, ada));
    const unknown = await refusal(logInAt(b.backend, { ...ada, email: uniqueEmail() }));

    expect(disabled).toMatchObject(REFUSED);
    expect(unknown).toEqual(disabled);
  });

  test("of 100 at once over two processes makes one User, one change and one call", async () => {
    const ada = await signUp(a.backend);
    const key = await createKey(b.operator, b.siteId);
    const clients = b.services.map(({ url }) => grpcClients(url, key));
    const before = await countAttempts(a, ada.userId);

    const [logins] = await Promise.all([
      Promise.all(Array.from({ length: 100 }, (_, n) => logInAt(pick(clients, n), ada))),
      holdGuesses(a, 0.5), // So that the second process comes before the first is done.
    ]);

    const ids = [...new Set(logins.map(({ userId }) => userId))];
    expect(ids).toHaveLength(1);
    expect(await countUsers(b, ada.email)).toBe(1);
    expect(await countChanges(b, ids[0] ?? "")).toBe(1);
    expect(await countAttempts(a, ada.userId)).toBe(before + 1);
  });

  test("asks for the second factor, which A checks", async () => {
    const person = await signUpWithFactor(a.backend, asUserOf(a));
    const challengeToken = await challengeOf(b.backend, person);
    const answer = (value: string) =>
      b.backend.auth.completeMfa({ challengeToken, code: { case: "totpCode", value } });

    const wrong = await refusal(answer("000000"));
    const none = await countUsers(b, person.email);
    const { session } = await answer(codeAt(person.secret, 1));
    const again = await refusal(answer(codeAt(person.secret, 1)));

    expect(wrong).toMatchObject(REFUSED);
    expect(none).toBe(0);
    expect(session?.session?.amr).toEqual(["pwd", "otp", "mfa"]);
    expect(again.reason).toBe("ONE_TIME_TOKEN_INVALID");
    const identifier = { case: "email", value: person.email } as const;
    const next = await b.backend.auth.login({ identifier, password: person.password });
    expect(next.result.case).toBe("mfaEnrollment");
  });

  test("is told to verify the address first, where it is not verified at A", async () => {
    const person = { email: uniqueEmail(), password: "four quiet otters swim" };
    await a.backend.auth.register(person);

    const refused = await refusal(logInAt(b.backend, person));

    expect(refused.reason).toBe("EMAIL_UNVERIFIED");
    expect(await countUsers(b, person.email)).toBe(0);
  });

  test("works again and again when A is away, with the password of then", async () => {
    const ada = await signUp(a.backend);
    const { userId } = await logInAt(b.backend, ada);
    const stranger = await signUp(a.backend);
    const url = a.services[0]?.url ?? "";
    await a.stop();

    const again = await logInAt(b.backend, ada);
    const unknown = await refusal(logInAt(b.backend, stranger));
    const wrong = await refusal(logInAt(b.backend, { ...ada, password: "not the password" }));

    expect(again.userId).toBe(userId);
    expect(unknown).toMatchObject(REFUSED);
    expect(wrong).toEqual(unknown);
    await a.restart([], 1, Number(new URL(url).port));
    await b.operator.sync.testPeer({ name: "shop" });
    await logInAt(b.backend, stranger);
  });

  test("does not bring back who was deleted at B", async () => {
    const ada = await signUp(a.backend);
    const { userId } = await logInAt(b.backend, ada);
    await b.backend.users.deleteUser({ userId });

    expect(await refusal(logInAt(b.backend, ada))).toMatchObject(REFUSED);
    expect(await countUsers(b, ada.email)).toBe(0);
  });
});

describe("a login at C, which asks A and B", () => {
  test("finds who is known at B alone, and takes the fields of the list", async () => {
    const bob = await signUp(b.backend);
    await b.backend.users.updateUser({ userId: bob.userId, displayName: "Bob" });

    const { userId } = await logInAt(c.backend, bob);

    const { user } = await c.backend.users.getUser({ userId });
    expect(user).toMatchObject({ displayName: "", origin: { source: "b" } });
  });

  test("goes one hop: B does not ask A for C", async () => {
    const ada = await signUp(a.backend, uniqueEmail().replace("example.com", "hop.example"));
    const before = await countAttempts(a, ada.userId);

    const refused = await refusal(logInAt(c.backend, ada));

    expect(refused).toMatchObject(REFUSED);
    expect(await countAttempts(a, ada.userId)).toBe(before);
    expect(await countUsers(b, ada.email)).toBe(0);
  });
});

describe("what peers ask of each other", () => {
  test("is answered to a key with `peer` alone, and within its fields", async () => {
    const ada = await signUp(a.backend);
    const url = a.services[0]?.url ?? "";
    const fields = ["email", "email_verified", "roles"];
    const asPeer = grpcClients(url, await a.peerKey([Scope.PEER], fields)).sync;
    const identifier = { case: "email", value: ada.email } as const;
    const proof = { identifier, password: ada.password };

    const { result } = await asPeer.verifyPeerLogin(proof);
    const refused = await refusal(a.backend.sync.verifyPeerLogin(proof));
    const checked = await asPeer.checkPeer({});

    expect(refused.reason).toBe("ACCESS_DENIED");
    expect(result.value).toMatchObject({ email: ada.email, roles: [], displayName: "" });
    expect(checked).toMatchObject({ siteId: a.siteId, userFields: fields, sync: false });
  });

  test("keeps a challenge to the key that it was made for, and makes no Session", async () => {
    const person = await signUpWithFactor(a.backend, asUserOf(a));
    const url = a.services[0]?.url ?? "";
    const [one, other] = [await a.peerKey(), await a.peerKey()];
    const identifier = { case: "email", value: person.email } as const;
    const { result } = await grpcClients(url, one).sync.verifyPeerLogin({
      identifier,
      password: person.password,
    });
    const challengeToken = result.case === "mfaChallenge" ? result.value.challengeToken : "";
    const code = { case: "totpCode", value: codeAt(person.secret, 1) } as const;
    const proof = { challengeToken, code };

    const stolen = await refusal(grpcClients(url, other).sync.completePeerMfa(proof));
    const session = await refusal(a.backend.auth.completeMfa(proof));
    const { user } = await grpcClients(url, one).sync.completePeerMfa(proof);
    const again = await refusal(grpcClients(url, one).sync.completePeerMfa(proof));

    expect(stolen).toMatchObject(REFUSED);
    expect(session.reason).toBe("ONE_TIME_TOKEN_INVALID");
    expect(user).toMatchObject({ id: person.userId, email: person.email });
    expect(again).toMatchObject(REFUSED);
  });

  test("is refused while the Site requires a factor that the User has not", async () => {
    const ada = await signUp(c.backend);
    const asPeer = grpcClients(c.services[0]?.url ?? "", await c.peerKey()).sync;
    await c.operator.sites.updateSite({ siteId: c.siteId, mfaPolicy: MfaPolicy.REQUIRED });
    const identifier = { case: "email", value: ada.email } as const;

    const refused = await refusal(asPeer.verifyPeerLogin({ identifier, password: ada.password }));

    await c.operator.sites.updateSite({ siteId: c.siteId, mfaPolicy: MfaPolicy.OPTIONAL });
    expect(refused.reason).toBe("MFA_NOT_ENROLLED");
  });
});

describe("signet peer", () => {
  test("lists the peers without their keys, and tests one", async () => {
    const environment = { SIGNET_URL: b.services[0]?.url ?? "", SIGNET_KEY: b.keys.operatorKey };

    const listed = await runSignetProcess(["peer", "list", "--json"], environment);
    const tested = await runSignetProcess(["peer", "test", "shop"], environment);
    const unknown = await runSignetProcess(["peer", "test", "none"], environment);

    expect(JSON.parse(listed.stdout).peers).toMatchObject([
      { name: "shop", siteId: b.siteId, state: "PEER_STATE_READY" },
    ]);
    expect(listed.stdout).not.toContain("sgn_site_");
    expect(tested).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(a.siteId) });
    expect(unknown.exitCode).toBe(1);
  });

  test("ends with 1 where the key is revoked", async () => {
    const { apiKeys } = await a.operator.sites.listApiKeys({ siteId: a.siteId });
    const entry = await peerEntry(c, a, { name: "revoked" });
    const known = new Set(apiKeys.map(({ id }) => id));
    const now = await a.operator.sites.listApiKeys({ siteId: a.siteId });
    const made = now.apiKeys.find(({ id }) => !known.has(id));
    await a.operator.sites.revokeApiKey({ siteId: a.siteId, apiKeyId: made?.id ?? "" });
    await c.restart([entry]);

    const { problem } = await c.operator.sync.testPeer({ name: "revoked" });

    expect(problem).toBe(PeerProblem.KEY_REFUSED);
  });
});

function asUserOf({ services }: OwnSignet): (accessToken: string) => Clients {
  return (accessToken) => grpcClients(services[0]?.url ?? "", accessToken);
}

function pick<T>(items: readonly T[], n: number): T {
  const item = items[n % items.length];
  if (item === undefined) throw new Error("there is none");
  return item;
}

async function countChanges({ database }: OwnSignet, userId: string): Promise<number> {
  const where = `where user_id = '${userId}'`;
  const logged = `select 1 from signet.changes ${where}`;
  const waiting = `select 1 from signet.change_outbox ${where}`;
  return await countRows(database.adminUrl, `(${logged} union all ${waiting}) as c`);
}

async function countAttempts({ database }: OwnSignet, userId: string): Promise<number> {
  return await countRows(database.adminUrl, `signet.login_attempts where user_id = '${userId}'`);
}
