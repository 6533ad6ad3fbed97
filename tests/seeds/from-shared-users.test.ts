import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { PeerProblem } from "../../gen/signet/v1/change_pb.ts";
import { fieldsOfAnswers } from "../support/answer-fields.ts";
import {
  grpcClients,
  logIn,
  type Refusal,
  refusal,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { callJson } from "../support/json-call.ts";
import { logInAt, type OwnSignet } from "../support/peered-sites.ts";
import { freePort, runService } from "../support/service.ts";
import {
  adminTokenAt,
  findAt,
  hashAt,
  type Outage,
  openThreeApps,
  registerAt,
  signetAt,
  stopForAWhile,
  type ThreeApps,
  urlOf,
} from "../support/three-apps.ts";
import { until } from "../support/waiting.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

let apps: ThreeApps;
let a: OwnSignet;
let b: OwnSignet;
let c: OwnSignet;

const REFUSED = { code: "Unauthenticated", reason: "LOGIN_FAILED" };

beforeAll(async () => {
  apps = await openThreeApps();
  ({ a, b, c } = apps);
});

afterAll(() => apps[Symbol.asyncDispose]());

describe("an account", () => {
  test("that is made at one app is in no other database", async () => {
    const { email } = await registerAt(b);

    const known = await Promise.all([a, b, c].map(async (app) => (await findAt(app, email)) && 1));

    expect(known).toEqual([undefined, 1, undefined]);
  });

  test("signs in at the other apps, by address or name, and registers at none", async () => {
    const person = await registerAt(b);
    const identifier = { case: "username", value: person.username } as const;

    const atA = await logInAt(a.backend, person);
    const { result } = await c.backend.auth.login({ identifier, password: person.password });

    expect(result.case).toBe("session");
    expect((await findAt(a, person.email))?.id).toBe(atA.userId);
    expect((await findAt(b, person.email))?.id).toBe(person.userId);
    expect((await findAt(c, person.email))?.username).toBe(person.username);
  });

  test("tells an administrator where it came from, and the log when", async () => {
    const person = await registerAt(c);
    await logInAt(b.backend, person);

    const at = ["--site", b.siteId, "--json"];
    const { user } = await signetAt(b, "user", "get", person.email, ...at);
    const arrived = await signetAt(b, "audit", "list", "--kind", "user.arrived", ...at);

    const time = expect.stringMatching(/^2\d{3}-/);
    const origin = { source: "c", sourceUserId: person.userId, arriveTime: time };
    expect(user.origin).toMatchObject(origin);
    expect(arrived.events).toContainEqual(
      expect.objectContaining({
        actor: expect.objectContaining({ id: "c" }),
        subject: expect.objectContaining({ id: user.id }),
      }),
    );
  });
});

describe("each app", () => {
  test("takes none of the others' tokens, and keeps state and password to itself", async () => {
    const person = await registerAt(a);
    const copy = await logInAt(b.backend, person);
    const { accessToken } = await logIn(a.backend, person.email, person.password);
    const identifier = { case: "email", value: person.email } as const;
    const delivery = Delivery.RETURN_TOKEN;
    const { oneTimeToken } = await a.backend.auth.requestPasswordReset({ identifier, delivery });
    const newPassword = unique("seven brisk herons");
    await a.backend.auth.resetPassword({ token: oneTimeToken?.token ?? "", newPassword });

    const { result } = await b.backend.auth.validateToken({ token: accessToken });
    const atB = await logInAt(b.backend, person);
    await b.backend.users.disableUser({ userId: copy.userId });
    const disabled = await refusal(logInAt(b.backend, person));
    const atA = await logInAt(a.backend, { ...person, password: newPassword });

    expect(result.case).toBe("invalid");
    expect(atB).toEqual(copy);
    expect(disabled).toMatchObject(REFUSED);
    expect(atA.userId).toBe(person.userId);
  });

  test("keeps the tokens of its mails, and lends nobody who has not verified", async () => {
    const person = { email: uniqueEmail(), password: unique("four quiet otters") };
    const delivery = Delivery.RETURN_TOKEN;
    const { oneTimeToken } = await a.backend.auth.register({ ...person, delivery });
    const token = oneTimeToken?.token ?? "";

    const elsewhere = await refusal(b.backend.auth.verifyEmail({ token }));
    const early = await refusal(logInAt(b.backend, person));
    await a.backend.auth.verifyEmail({ token });

    expect(elsewhere.reason).toBe("ONE_TIME_TOKEN_INVALID");
    expect(early.reason).toBe("EMAIL_UNVERIFIED");
    expect(await logInAt(b.backend, person)).toMatchObject({ userId: expect.any(String) });
  });

  test("answers where a peer is silent, and lets those in whom another one knows", async () => {
    const [known, unknown] = [0, 1].map(() => `${unique("user")}@silent.example`);
    const person = await registerAt(a, known);

    const refused = await refusal(logInAt(c.backend, { ...person, email: unknown ?? "" }));

    expect(apps.silent.requests()).toBeGreaterThan(0);
    expect(refused).toMatchObject(REFUSED);
    expect(await logInAt(c.backend, person)).toMatchObject({ userId: expect.any(String) });
  });

  test("does itself no harm where its list names itself", async () => {
    const email = `${unique("user")}@self.example`;

    const refused = await refusal(logInAt(b.backend, { email, password: unique("otters") }));
    const person = await registerAt(b, email);

    expect(refused).toMatchObject(REFUSED);
    expect(await logInAt(b.backend, person)).toEqual({ userId: person.userId });
  });

  test("tells that it is up without a key, and what is wrong with each peer", async () => {
    const url = urlOf(c);

    const probes = await Promise.all(["healthz", "readyz"].map((path) => fetch(`${url}/${path}`)));
    const tested = await signetAt(c, "peer", "test", "b", "--json");
    const problems = await Promise.all(
      ["gone", "refusing"].map(async (name) => (await c.operator.sync.testPeer({ name })).problem),
    );

    expect(await Promise.all(probes.map((probe) => probe.json()))).toEqual([
      { status: "alive" },
      { status: "ready" },
    ]);
    expect(tested.answer).toMatchObject({ siteId: b.siteId, siteName: "Test" });
    expect(problems).toEqual([PeerProblem.CONNECTION_FAILED, PeerProblem.KEY_REFUSED]);
  });

  test("refuses to start where a peer would be called without TLS", async () => {
    const { key } = apps.silent;
    const peers = [{ name: "plain", url: "http://id.example.com", key, site_id: b.siteId }];
    const env = { PORT: `${await freePort()}`, SIGNET_PEERS: JSON.stringify(peers) };

    const { exitCode, stderr } = await runService(env);

    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/SIGNET_PEERS.*plain.*https/s);
  });
});

describe("what the apps had on their list of wishes", () => {
  test("all Users at once, before they sign in", async () => {
    const person = await registerAt(a);

    await signetAt(c, "peer", "sync", "a", "--timeout-seconds", "60", "--json");

    const copy = await until(() => findAt(c, person.email));
    expect(copy.origin).toMatchObject({ source: "a", sourceUserId: person.userId });
    expect(await logInAt(c.backend, person)).toEqual({ userId: copy.id });
  });

  test("a profile that follows, and a webhook that tells of it", async () => {
    await using receiver = await startReceiver();
    const person = await registerAt(a);
    const { id } = await until(() => findAt(c, person.email));
    const settings = { siteId: c.siteId, url: receiver.url };
    receiver.secrets.push((await c.operator.sync.createWebhook(settings)).secret);

    await a.backend.users.updateUser({ userId: person.userId, displayName: "Ada Lovelace" });

    await until(async () => (await findAt(c, person.email))?.displayName === "Ada Lovelace");
    await until(() =>
      receiver.accepted.find(({ event: { change } }) => {
        return change?.user?.id === id && change.user.displayName === "Ada Lovelace";
      }),
    );
  });
});

describe("no password hash is handed out", () => {
  test("by any answer but the export, which gives them to an operator alone", async () => {
    const url = urlOf(b);
    const admin = grpcClients(url, await adminTokenAt(b));
    const callers = [b.backend, admin, grpcClients(url)];

    const refusals = await Promise.all(
      callers.map(({ users }) =>
        refusal(Array.fromAsync(users.exportUsers({ includePasswordHashes: true }))),
      ),
    );

    const places = (await fieldsOfAnswers()).filter(({ type }) => type.endsWith("PasswordHash"));
    expect(places.map(({ rpc }) => rpc)).toEqual(["ExportUsers"]);
    expect(refusals.map(({ code }) => code)).toEqual([
      "PermissionDenied",
      "PermissionDenied",
      "Unauthenticated",
    ]);
  });

  test("to another app: only the password goes there, and is hashed anew", async () => {
    const person = await registerAt(a);
    await until(() => findAt(c, person.email));
    await logInAt(c.backend, person);

    const [there, here] = await Promise.all([a, c].map((app) => hashAt(app, person.email)));

    expect([there, here]).toEqual(Array(2).fill(expect.stringMatching(/^\$argon2id\$/)));
    expect(here).not.toBe(there);
    expect(apps.wire()).toContain(person.email);
    for (const part of there?.split("$").slice(-2) ?? []) {
      expect(apps.wire()).not.toContain(part);
    }
  });

  test("to whoever asks: a look-up wants a key, and a peer's key asks one thing", async () => {
    const person = await registerAt(a);
    const url = urlOf(a);
    const key = await a.peerKey();
    const asPeer = grpcClients(url, key);
    const proof = { email: person.email, password: person.password };
    const verify = "signet.v1.SyncService/VerifyPeerLogin";
    const lookUp = "signet.v1.UserService/LookupUser";

    const open = await Promise.all([
      callJson(url, verify, proof),
      callJson(url, lookUp, { user: { email: person.email } }),
      callJson(url, lookUp, { user: { email: uniqueEmail() } }),
    ]);
    const identifier = { case: "email", value: person.email } as const;
    const further: readonly Refusal[] = await Promise.all([
      refusal(asPeer.users.lookupUser({ user: { ref: identifier } })),
      refusal(asPeer.users.listUsers({})),
      refusal(logInAt(asPeer, person)),
      refusal(a.backend.sync.verifyPeerLogin({ identifier, password: person.password })),
    ]);
    const answered = await callJson(url, verify, proof, key);

    expect(open.map(({ status }) => status)).toEqual([401, 401, 401]);
    expect(open[1]?.body).toBe(open[2]?.body);
    expect(further.map(({ reason }) => reason)).toEqual(Array(4).fill("ACCESS_DENIED"));
    expect(answered.body).toContain(person.email);
    expect(answered.body).not.toMatch(/hash|argon2|\$/i);
  });
});

describe("an app that was down, and comes back with an empty list", () => {
  let story: Outage;

  beforeAll(async () => {
    story = await stopForAWhile(apps);
  });

  test("was not missed by those who had signed in elsewhere", async () => {
    await b.operator.sync.testPeer({ name: "a" });
    const late = await logInAt(b.backend, story.newcomer);

    expect(story.again).toEqual(story.first);
    expect(story.unknown).toMatchObject(REFUSED);
    expect(late).toMatchObject({ userId: expect.any(String) });
  });

  test("asks nobody, and goes on with its Users and those who have come", async () => {
    const [own, stranger] = [await registerAt(a), await registerAt(b)];

    const refused = await refusal(logInAt(a.backend, stranger));

    expect((await signetAt(a, "peer", "list", "--json")).peers).toEqual([]);
    expect(refused).toMatchObject(REFUSED);
    expect(await logInAt(a.backend, own)).toEqual({ userId: own.userId });
    expect(await logInAt(a.backend, story.visitor)).toEqual(story.visit);
  });
});
