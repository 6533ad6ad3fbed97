import { decodeProtectedHeader, type JWTPayload, jwtVerify, SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import { signAccessToken, verifyAccessToken } from "../../../src/crypto/access-token.ts";
import { generateSigningKey, type SigningAlgorithm } from "../../../src/crypto/signing-key.ts";
import type { AccessTokenClaims } from "../../../src/model/access-token-claims.ts";
import { newId, type SessionId, type SigningKeyId, type UserId } from "../../../src/model/id.ts";

const now = new Date("2030-01-01T00:00:00Z");
const later = (seconds: number) => new Date(now.getTime() + seconds * 1_000);

const claims: AccessTokenClaims = {
  issuer: "https://id.example.com/sites/1",
  audiences: ["app"],
  userId: newId<UserId>(),
  sessionId: newId<SessionId>(),
  generation: 3,
  roles: ["admin", "übersetzer"],
  authTime: later(-60),
  authMethods: ["pwd", "otp"],
  tokenId: "token-1",
  issueTime: now,
  expireTime: later(900),
};

const keys = {
  ES256: await generateSigningKey(newId<SigningKeyId>(), "ES256"),
  RS256: await generateSigningKey(newId<SigningKeyId>(), "RS256"),
};
const known = Object.values(keys);

const check = (token: string, at = now, issuer = claims.issuer, audiences = ["other", "app"]) =>
  verifyAccessToken(token, {
    issuer,
    audiences,
    now: at,
    findKey: (kid) => known.find(({ id }) => id === kid),
  });

describe.each<SigningAlgorithm>(["ES256", "RS256"])("an access token of %s", (algorithm) => {
  const key = keys[algorithm];

  test("says what it was signed with", () => {
    expect(check(signAccessToken(key, claims))).toEqual({ valid: true, claims });
  });

  test("may be for several audiences", () => {
    const several = { ...claims, audiences: ["app", "billing"] };

    expect(check(signAccessToken(key, several))).toEqual({ valid: true, claims: several });
  });

  test("is accepted by jose, with the header that RFC 9068 asks for", async () => {
    const token = signAccessToken(key, claims);

    const { payload } = await jwtVerify(token, key.publicKey, {
      issuer: claims.issuer,
      audience: "app",
      typ: "at+jwt",
      algorithms: [algorithm],
      currentDate: now,
    });

    expect(payload).toMatchObject({ sub: claims.userId, sid: claims.sessionId, gen: 3 });
    expect(decodeProtectedHeader(token)).toEqual({ alg: algorithm, typ: "at+jwt", kid: key.id });
  });

  test("is accepted from jose", async () => {
    const payload: JWTPayload = {
      iss: claims.issuer,
      aud: "app",
      sub: claims.userId,
      sid: claims.sessionId,
      gen: claims.generation,
      roles: [...claims.roles],
      auth_time: claims.authTime.getTime() / 1_000,
      amr: [...claims.authMethods],
      jti: claims.tokenId,
    };
    const token = await new SignJWT(payload)
      .setProtectedHeader({ alg: algorithm, typ: "at+jwt", kid: key.id })
      .setIssuedAt(now)
      .setExpirationTime(claims.expireTime)
      .sign(key.privateKey);

    expect(check(token)).toEqual({ valid: true, claims });
  });

  test("lives until 30 seconds after its expiry, for clocks that differ", () => {
    const token = signAccessToken(key, claims);

    expect(check(token, later(929)).valid).toBe(true);
    expect(check(token, later(930))).toEqual({ valid: false, reason: "expired" });
  });

  test("lives from 30 seconds before its issue on", () => {
    const token = signAccessToken(key, claims);

    expect(check(token, later(-30)).valid).toBe(true);
    expect(check(token, later(-31))).toEqual({ valid: false, reason: "invalid" });
  });

  test("says that it has expired only if all else is right", () => {
    const token = signAccessToken(key, claims);
    const [header, payload] = token.split(".");
    const forged = `${header}.${payload}.${"A".repeat(86)}`;

    expect(check(forged, later(5_000))).toEqual({ valid: false, reason: "invalid" });
    expect(check(token, later(5_000), "https://id.example.com/sites/2")).toEqual({
      valid: false,
      reason: "invalid",
    });
  });

  test("is not accepted with any one character altered", () => {
    const token = signAccessToken(key, claims);

    expect(check(token)).toMatchObject({ valid: true });
    for (let at = 0; at < token.length; at++) {
      const altered = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
      expect(check(altered), `character ${at}`).toEqual({ valid: false, reason: "invalid" });
    }
  });
});

test("an access token of more than 4 KiB is never signed", () => {
  const roles = Array.from({ length: 32 }, (_, n) => `${n}`.padEnd(200, "x"));

  expect(() => signAccessToken(keys.ES256, { ...claims, roles })).toThrow("too long");
});
