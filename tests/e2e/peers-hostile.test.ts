import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PeerProblem, PeerState } from "../../gen/signet/v1/change_pb.ts";
import { logIn, refusal, signUp, uniqueEmail } from "../support/builders.ts";
import {
  answering,
  type HostilePeer,
  type Misbehaviour,
  startHostilePeer,
} from "../support/hostile-peer.ts";
import { countUsers, type OwnSignet, openOwnSignet } from "../support/peered-sites.ts";

const REFUSED = { code: "Unauthenticated", reason: "LOGIN_FAILED" };
const PASSWORD = "four quiet otters swim";

let signet: OwnSignet;
let peer: HostilePeer;
let badTls: HostilePeer;

beforeAll(async () => {
  [signet, peer, badTls] = await Promise.all([
    openOwnSignet(),
    startHostilePeer(),
    startHostilePeer(selfSigned()),
  ]);
  const site_id = signet.siteId;
  await signet.restart([
    { name: "hostile", url: peer.url, key: peer.key, site_id },
    { name: "tls", url: badTls.url, key: badTls.key, site_id, email_domains: ["tls.example"] },
    {
      name: "nowhere",
      url: "https://10.1.2.3",
      key: peer.key,
      site_id,
      email_domains: ["x.example"],
    },
  ]);
});

afterAll(async () => {
  await Promise.all([signet, peer, badTls].map((each) => each[Symbol.asyncDispose]()));
});

describe("a peer that is hostile or broken", () => {
  const user = (email: string, more: object = {}) => ({
    user: {
      id: "01890a5d-ac96-774b-bcce-b302099a8057",
      siteId: peer.siteId,
      version: "1",
      email,
      emailVerified: true,
      state: "USER_STATE_ACTIVE",
      ...more,
    },
  });

  const forms: readonly (readonly [string, (email: string) => Misbehaviour])[] = [
    ["answers with a huge text", () => flooding],
    ["answers with another type", () => (_, response) => response.end("<html>")],
    ["answers with what is no JSON", () => (_, response) => endJson(response, "{")],
    ["answers with nothing", () => answering({})],
    ["answers with wrong types", (email) => answering(user(email, { version: "many" }))],
    ["redirects", () => redirecting],
    ["breaks the connection", () => (request) => request.socket.destroy()],
    ["claims a User of another Site", (email) => answering(user(email, { siteId: signet.siteId }))],
    ["claims an id that is none", (email) => answering(user(email, { id: "1 or 1=1" }))],
    ["claims a disabled User", (email) => answering(user(email, { state: "USER_STATE_DISABLED" }))],
    ["claims another address", () => answering(user(uniqueEmail()))],
    ["claims an address that looks alike", (email) => answering(user(email.replace("a", "а")))],
    ["claims a name that ends lines", (email) => answering(user(email, { displayName: "a\nb" }))],
    [
      "claims a picture without TLS",
      (email) => answering(user(email, { pictureUrl: "http://x.example" })),
    ],
    ["answers with an error of no Signet", () => answering({ code: "unauthenticated" }, 401)],
  ];

  test.each(forms)("%s: the login is refused, and nobody comes", async (_, form) => {
    const email = `a${uniqueEmail()}`;
    await closeBreaker();
    peer.behave(form(email));

    const refused = await refusal(logIn(signet.backend, email, PASSWORD));

    expect(refused).toMatchObject(REFUSED);
    expect(await countUsers(signet, email)).toBe(0);
    expect(await lastProblem()).not.toBe(PeerProblem.UNSPECIFIED);
  });

  test("never answers: the login is refused after 5 s, and others go on meanwhile", async () => {
    await closeBreaker();
    peer.behave(() => undefined);
    const beginMs = performance.now();

    const waiting = refusal(logIn(signet.backend, uniqueEmail(), PASSWORD));
    await signUp(signet.backend);
    const meanwhileMs = performance.now() - beginMs;

    expect(await waiting).toMatchObject(REFUSED);
    expect(performance.now() - beginMs).toBeGreaterThan(meanwhileMs);
    expect(await lastProblem()).toBe(PeerProblem.TIMED_OUT);
  });

  test("gives roles and rights: none is taken", async () => {
    const email = uniqueEmail();
    await closeBreaker();
    peer.behave(
      answering(user(email, { roles: ["admin"], deletionProtected: true, mfaEnabled: true })),
    );

    await logIn(signet.backend, email, PASSWORD);

    const ref = { case: "email", value: email } as const;
    const { user: copy } = await signet.backend.users.lookupUser({ user: { ref } });
    expect(copy).toMatchObject({ roles: ["user"], deletionProtected: false, mfaEnabled: false });
  });

  test("claims the address of somebody here by another name: nobody is touched", async () => {
    const ada = await signUp(signet.backend);
    await closeBreaker();
    peer.behave(answering(user(ada.email, { username: "mallory" })));
    const identifier = { case: "username", value: "mallory" } as const;

    const refused = await refusal(signet.backend.auth.login({ identifier, password: PASSWORD }));

    expect(refused).toMatchObject(REFUSED);
    expect(await countUsers(signet, ada.email)).toBe(1);
    await logIn(signet.backend, ada.email, ada.password);
  });

  test("is left alone after five failures, until a test finds it well", async () => {
    await closeBreaker();
    peer.behave((_, response) => response.end("<html>"));
    for (let n = 0; n < 5; n += 1) await refusal(logIn(signet.backend, uniqueEmail(), PASSWORD));
    const before = peer.requests();

    await refusal(logIn(signet.backend, uniqueEmail(), PASSWORD));

    expect(peer.requests()).toBe(before);
    expect((await hostile())?.state).toBe(PeerState.BREAKER_OPEN);
    await closeBreaker();
    expect((await hostile())?.state).toBe(PeerState.READY);
  });

  test("refuses: the same password is not asked about again at once", async () => {
    const email = uniqueEmail();
    await closeBreaker();
    peer.behave(answering(loginFailed(), 401));
    await refusal(logIn(signet.backend, email, PASSWORD));
    const before = peer.requests();

    const again = await refusal(logIn(signet.backend, email, PASSWORD));
    const between = peer.requests();
    await refusal(logIn(signet.backend, email, "another password"));

    expect(again).toMatchObject(REFUSED);
    expect(between).toBe(before);
    expect(peer.requests()).toBe(before + 1);
  });

  test("is told apart by TestPeer", async () => {
    const problemOf = async (name: string) =>
      (await signet.operator.sync.testPeer({ name })).problem;
    peer.behave(redirecting);

    expect(await problemOf("tls")).toBe(PeerProblem.TLS_FAILED);
    expect(badTls.requests()).toBe(0);
    expect(await problemOf("nowhere")).toBe(PeerProblem.ADDRESS_REFUSED);
    expect(await problemOf("hostile")).toBe(PeerProblem.ANSWER_INVALID);
    expect(await refusal(signet.operator.sync.testPeer({ name: "none" }))).toMatchObject({
      reason: "PEER_NOT_FOUND",
    });
  });
});

async function hostile() {
  const { peers } = await signet.operator.sync.listPeers({});
  return peers.find(({ name }) => name === "hostile");
}

async function lastProblem() {
  return (await hostile())?.lastProblem;
}

/** A success of any call closes it. */
async function closeBreaker(): Promise<void> {
  const serverTime = new Date().toISOString();
  peer.behave(answering({ siteId: peer.siteId, siteName: "Shop", serverTime }));
  const { problem } = await signet.operator.sync.testPeer({ name: "hostile" });
  expect(problem).toBe(PeerProblem.UNSPECIFIED);
}

const flooding: Misbehaviour = (_, response) => {
  response.writeHead(200, { "content-type": "application/json" });
  const chunk = Buffer.alloc(64 * 1024, " ");
  const pour = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once("drain", pour);
  };
  pour();
};

const redirecting: Misbehaviour = (_, response) => {
  response.writeHead(307, { location: "http://127.0.0.1:1/", "content-type": "application/json" });
  response.end("{}");
};

function endJson(response: Parameters<Misbehaviour>[1], text: string): void {
  response.writeHead(200, { "content-type": "application/json" }).end(text);
}

/** As a Signet refuses a login; the value is ErrorDetail { reason: LOGIN_FAILED }. */
function loginFailed(): object {
  return { code: "unauthenticated", details: [{ type: "signet.v1.ErrorDetail", value: "CAI" }] };
}

function selfSigned() {
  const folder = mkdtempSync(join(tmpdir(), "signet-peer-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  const files = ["-keyout", key, "-out", cert];
  execFileSync("openssl", ["req", "-x509", ...curve, ...names, ...files], { stdio: "ignore" });
  const read = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  rmSync(folder, { recursive: true });
  return read;
}
