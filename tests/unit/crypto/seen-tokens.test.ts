import { describe, expect, test } from "vitest";
import { signAccessToken, verifyAccessToken } from "../../../src/crypto/access-token.ts";
import { createTokenReader } from "../../../src/crypto/seen-tokens.ts";
import { generateSigningKey, type VerificationKey } from "../../../src/crypto/signing-key.ts";
import type { AccessTokenClaims } from "../../../src/model/access-token-claims.ts";
import { newId, type SessionId, type SigningKeyId, type UserId } from "../../../src/model/id.ts";

const now = new Date("2030-01-01T00:00:00Z");
const later = (seconds: number) => new Date(now.getTime() + seconds * 1_000);
const [key, otherKey] = [
  await generateSigningKey(newId<SigningKeyId>(), "ES256"),
  await generateSigningKey(newId<SigningKeyId>(), "ES256"),
];
const claims: AccessTokenClaims = {
  issuer: "https://id.example.com/sites/1",
  audiences: ["app"],
  userId: newId<UserId>(),
  sessionId: newId<SessionId>(),
  generation: 3,
  roles: [],
  authTime: now,
  authMethods: ["pwd"],
  tokenId: "token-1",
  issueTime: now,
  expireTime: later(900),
};
const token = signAccessToken(key, claims);

/** Keys that count how often somebody looks for one. */
function keysOf(...keys: readonly VerificationKey[]) {
  const asked = { times: 0 };
  const findKey = (kid: string) => {
    asked.times += 1;
    return keys.find(({ id }) => id === kid);
  };
  return { asked, findKey };
}

describe("a reader that remembers tokens", () => {
  test("checks a signature once", () => {
    const read = createTokenReader();
    const { asked, findKey } = keysOf(key);

    const found = [1, 2, 3].map(() => read(token, findKey)?.claims);

    expect(found).toEqual([claims, claims, claims]);
    expect(asked.times).toBe(1);
  });

  test("checks it anew with other keys, and refuses what they have not signed", () => {
    const read = createTokenReader();
    read(token, keysOf(key).findKey);

    const without = keysOf(otherKey);

    expect(read(token, without.findKey)).toBeUndefined();
    expect(without.asked.times).toBe(1);
    expect(read(token, keysOf(otherKey, key).findKey)?.claims).toEqual(claims);
  });

  test("remembers nothing that is not signed", () => {
    const read = createTokenReader();
    const { asked, findKey } = keysOf(key);
    const forged = `${token.slice(0, -4)}${token.endsWith("AAAA") ? "BBBB" : "AAAA"}`;

    expect([read(forged, findKey), read(forged, findKey)]).toEqual([undefined, undefined]);
    expect(asked.times).toBe(2);
  });

  test("does not answer for time, issuer or audience", () => {
    const read = createTokenReader();
    const { findKey } = keysOf(key);
    const rules = { issuer: claims.issuer, audiences: ["app"], now, findKey };
    const verify = (more: object) => verifyAccessToken(token, { ...rules, ...more }, read);

    expect(verify({})).toEqual({ valid: true, claims });
    expect(verify({ now: later(931) })).toEqual({ valid: false, reason: "expired" });
    expect(verify({ now: later(-31) })).toEqual({ valid: false, reason: "invalid" });
    expect(verify({ issuer: "https://other" })).toEqual({ valid: false, reason: "invalid" });
    expect(verify({ audiences: ["b"] })).toEqual({ valid: false, reason: "audience" });
  });

  test("forgets the oldest of many tokens", () => {
    const read = createTokenReader(10);
    const { asked, findKey } = keysOf(key);
    read(token, findKey);
    const rest = Array.from({ length: 10 }, (_none, n) =>
      signAccessToken(key, { ...claims, tokenId: `${n}` }),
    );
    for (const other of rest) read(other, findKey);
    const askedFor = asked.times;

    read(token, findKey);
    read(rest.at(-1) ?? "", findKey);

    expect(asked.times).toBe(askedFor + 1);
  });
});
