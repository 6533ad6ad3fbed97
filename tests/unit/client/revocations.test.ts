import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import {
  InvalidTokenError,
  type RevocationStatus,
  type SiteTokenVerifier,
  VerifierUnavailableError,
} from "../../../src/client/index.ts";
import { until } from "../../support/waiting.ts";
import {
  KEY_ID,
  type RevocationSubject,
  SESSION_ID,
  startVerifierSignet,
  USER_ID,
} from "./verifier-signet.ts";

const LEASE_MS = 750;

const ends: readonly (readonly [string, RevocationSubject])[] = [
  ["its Session", { case: "sessionEnded", value: { sessionId: SESSION_ID } }],
  ["its generation", { case: "generationRaised", value: { userId: USER_ID, generation: 5n } }],
  ["the key that signed it", { case: "signingKeyWithdrawn", value: { keyId: KEY_ID } }],
  ["its Site", { case: "siteClosed", value: {} }],
];

test.each(ends)("a token that was seen is refused once %s has ended", async (_what, subject) => {
  await using signet = await startVerifierSignet();
  await using verifier = signet.verifier();
  const token = await signet.sign();
  await verifier.verify(token);

  signet.revoke(subject);
  const error = await until(() => refusalBy(verifier, token));

  expect(error).toBeInstanceOf(InvalidTokenError);
  expect(error).toMatchObject({ problem: "revoked" });
  expect(signet.asked()).toBe(0);
});

test("what ends for others, or for older tokens, leaves a token as it is", async () => {
  await using signet = await startVerifierSignet();
  await using verifier = signet.verifier();
  const token = await signet.sign();
  const others: readonly RevocationSubject[] = [
    { case: "sessionEnded", value: { sessionId: USER_ID } },
    { case: "generationRaised", value: { userId: USER_ID, generation: 4n } },
    { case: "generationRaised", value: { userId: SESSION_ID, generation: 9n } },
    { case: "apiKeyWithdrawn", value: { apiKeyId: KEY_ID } },
  ];
  for (const subject of others) signet.revoke(subject);
  signet.revoke({ case: "sessionEnded", value: { sessionId: "last" } });
  const last = await signet.sign({ sid: "last" });
  await until(() => refusalBy(verifier, last));

  await expect(verifier.verify(token)).resolves.toMatchObject({ userId: USER_ID });
});

test("a good token is checked once, and its answer cannot be altered", async () => {
  await using signet = await startVerifierSignet();
  await using verifier = signet.verifier();
  const token = await signet.sign();

  const [first, second] = [await verifier.verify(token), await verifier.verify(token)];

  expect(second).toBe(first);
  expect(Object.isFrozen(first) && Object.isFrozen(first.roles)).toBe(true);
  expect(verifier.counters()).toMatchObject({ accepted: 2, asked: 0 });
});

test("a token that was seen expires all the same", async () => {
  await using signet = await startVerifierSignet();
  await using verifier = signet.verifier();
  const seconds = Math.floor(Date.now() / 1_000);
  const token = await signet.sign({ iat: seconds - 100, exp: seconds - 28 });
  await verifier.verify(token);

  const error = await until(() => refusalBy(verifier, token));

  expect(error).toMatchObject({ problem: "expired" });
});

test("without heartbeats ValidateToken is asked, and its answer counts", async () => {
  await using signet = await startVerifierSignet();
  await using verifier = signet.verifier();
  const token = await signet.sign();
  await verifier.verify(token);
  signet.behaviour.beating = false;
  await sleep(LEASE_MS + 100);

  await verifier.verify(token);
  signet.behaviour.revoked = true;
  const error = await refusalBy(verifier, token);

  expect(error).toMatchObject({ problem: "revoked" });
  expect(verifier.counters()).toMatchObject({ asked: 2, revoked: 1, acceptedStale: 0 });
});

test("with nobody to ask tokens are good until the limit, and then all are refused", async () => {
  await using signet = await startVerifierSignet();
  await using verifier = signet.verifier({ maxStalenessSeconds: 2 });
  const [token, ended] = [await signet.sign(), await signet.sign({ sid: "ended" })];
  signet.revoke({ case: "sessionEnded", value: { sessionId: "ended" } });
  await verifier.verify(token);
  await until(() => refusalBy(verifier, ended));
  signet.behaviour.away = true;
  await sleep(LEASE_MS + 100);

  await verifier.verify(token);
  const known = await refusalBy(verifier, ended);
  const late = await until(() => refusalBy(verifier, token), 4_000);
  signet.behaviour.away = false;
  await until(async () => (await refusalBy(verifier, token)) === undefined);

  expect(known).toMatchObject({ problem: "revoked" });
  expect(late).toBeInstanceOf(VerifierUnavailableError);
  expect(verifier.counters().acceptedStale).toBeGreaterThan(0);
  expect(verifier.counters().asked).toBeLessThan(10); // It is left alone for a second.
});

test("a verifier that never heard anything refuses when nobody answers", async () => {
  await using signet = await startVerifierSignet();
  await using verifier = signet.verifier();
  signet.behaviour.away = true;

  const error = await refusalBy(verifier, await signet.sign());

  expect(error).toBeInstanceOf(VerifierUnavailableError);
});

test("a key that may not follow makes a verifier without revocations", async () => {
  await using signet = await startVerifierSignet();
  await using verifier = signet.verifier();
  signet.behaviour.denied = true;

  await verifier.verify(await signet.sign());

  expect(signet.asked()).toBe(0);
  expect(signet.streams).toHaveLength(1);
  expect(await firstStatus(verifier)).toEqual({ type: "off" });
});

test("a key that may no longer follow does not make one", async () => {
  await using signet = await startVerifierSignet();
  await using verifier = signet.verifier();
  const token = await signet.sign();
  await verifier.verify(token);

  signet.behaviour.away = true;
  await until(async () => (await firstStatus(verifier))?.type === "reconnecting");
  Object.assign(signet.behaviour, { away: false, denied: true });
  await sleep(LEASE_MS + 100);
  await verifier.verify(token);

  expect(signet.asked()).toBe(1);
});

test("where revocations are insisted on, such a key has ValidateToken asked", async () => {
  await using signet = await startVerifierSignet();
  await using verifier = signet.verifier({ optional: false });
  signet.behaviour.denied = true;
  const token = await signet.sign();

  await verifier.verify(token);
  await verifier.verify(token);

  expect(signet.asked()).toBe(2);
});

test("a stream that was lost is resumed after its cursor", async () => {
  await using signet = await startVerifierSignet();
  await using verifier = signet.verifier();
  signet.revoke({ case: "sessionEnded", value: { sessionId: "ended" } });
  await verifier.verify(await signet.sign());

  signet.behaviour.away = true;
  await sleep(50);
  signet.behaviour.away = false;
  await until(() => signet.streams.length > 1);

  expect(signet.streams.map(({ cursor }) => cursor).slice(0, 2)).toEqual(["", "c1"]);
});

test("statuses tell what happens, up to the end", async () => {
  await using signet = await startVerifierSignet();
  const verifier = signet.verifier();
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { type } of verifier.status) seen.push(type);
  })();

  await verifier.verify(await signet.sign());
  signet.behaviour.away = true;
  await until(() => seen.includes("reconnecting"));
  verifier.close();
  await reading;

  expect(seen.slice(0, 3)).toEqual(["connecting", "live", "reconnecting"]);
  expect(seen.at(-1)).toBe("closed");
});

test("a verifier is not made with a staleness below 0", async () => {
  await using signet = await startVerifierSignet();

  expect(() => signet.verifier({ maxStalenessSeconds: -1 })).toThrow(TypeError);
});

async function refusalBy(verifier: SiteTokenVerifier, token: string): Promise<unknown> {
  return await verifier.verify(token).then(
    () => undefined,
    (error: unknown) => error,
  );
}

async function firstStatus({ status }: SiteTokenVerifier): Promise<RevocationStatus | undefined> {
  for await (const first of status) return first;
  return undefined;
}
