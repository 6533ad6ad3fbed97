import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import {
  createTokenVerifier,
  InvalidTokenError,
  VerifierUnavailableError,
} from "../../../src/client/index.ts";

const SITE_ID = "0198c1f0-0000-7000-8000-000000000001";
const USER_ID = "0198c1f0-0000-7000-8000-000000000002";
const ES256 = await generateKeyPair("ES256", { extractable: true });
const RS256 = await generateKeyPair("RS256", { extractable: true });
const OTHER = await generateKeyPair("ES256");

/** The JWKS endpoint of a Site: real HTTP on loopback. */
const jwks = { keys: [] as object[], fetches: 0, broken: false };
const server = createServer((_request, response) => {
  jwks.fetches++;
  response.writeHead(jwks.broken ? 503 : 200, { "content-type": "application/jwk-set+json" });
  response.end(JSON.stringify({ keys: jwks.keys }));
});
let issuer = "";

beforeAll(async () => {
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/sites/${SITE_ID}`;
  jwks.keys = [
    { ...(await exportJWK(ES256.publicKey)), kid: "es", alg: "ES256", use: "sig" },
    { ...(await exportJWK(RS256.publicKey)), kid: "rs", alg: "RS256", use: "sig" },
  ];
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  Object.assign(jwks, { fetches: 0, broken: false });
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const seconds = () => Math.floor(Date.now() / 1_000);

function claims(more: object = {}): JWTPayload {
  return {
    iss: issuer,
    aud: ["shop", issuer],
    sub: USER_ID,
    sid: "0198c1f0-0000-7000-8000-000000000003",
    gen: 4,
    roles: ["user"],
    auth_time: seconds() - 60,
    amr: ["pwd"],
    jti: "0198c1f0-0000-7000-8000-000000000004",
    iat: seconds(),
    exp: seconds() + 900,
    ...more,
  };
}

interface Signing {
  readonly key?: CryptoKey | Uint8Array;
  readonly header?: object;
}

function sign(more: object = {}, { key = ES256.privateKey, header = {} }: Signing = {}) {
  const jwt = new SignJWT(claims(more));
  return jwt.setProtectedHeader({ alg: "ES256", kid: "es", typ: "at+jwt", ...header }).sign(key);
}

function verifier(audience: string | string[] = "shop") {
  return createTokenVerifier({ issuer, audience });
}

describe("a good token", () => {
  test("says who the User is, signed with ES256", async () => {
    const token = await sign({ iat: 1_900_000_000 - 30, exp: 1_900_000_000, auth_time: 5 });
    vi.useFakeTimers({ toFake: ["Date"], now: 1_899_999_980_000 });

    const verified = await verifier().verify(token);

    expect(verified).toEqual({
      userId: USER_ID,
      siteId: SITE_ID,
      sessionId: "0198c1f0-0000-7000-8000-000000000003",
      generation: 4,
      roles: ["user"],
      audiences: ["shop", issuer],
      authTime: new Date(5_000),
      authMethods: ["pwd"],
      issueTime: new Date(1_899_999_970_000),
      expireTime: new Date(1_900_000_000_000),
      tokenId: "0198c1f0-0000-7000-8000-000000000004",
    });
  });

  test("may be signed with RS256, and be for one audience of several", async () => {
    const header = { alg: "RS256", kid: "rs" };
    const token = await sign({ aud: "desk" }, { key: RS256.privateKey, header });

    const verified = await verifier(["shop", "desk"]).verify(token);

    expect(verified.audiences).toEqual(["desk"]);
  });

  test.each([
    ["expired 25 s ago", { exp: seconds() - 25 }],
    ["is issued in 25 s", { iat: seconds() + 25 }],
  ])("may be from a clock that differs: it %s", async (_what, more) => {
    await expect(verifier().verify(await sign(more))).resolves.toMatchObject({ userId: USER_ID });
  });

  test("is found by the Site's id and the address of Signet alike", async () => {
    const url = `${new URL(issuer).origin}/`;

    const same = createTokenVerifier({ url, siteId: SITE_ID, audience: "shop" });

    await expect(same.verify(await sign())).resolves.toMatchObject({ userId: USER_ID });
  });
});

describe("a bad token", () => {
  const bad: readonly (readonly [string, string, () => Promise<string>])[] = [
    ["that has expired", "expired", () => sign({ exp: seconds() - 31 })],
    ["for others", "audience", () => sign({ aud: "desk" })],
    ["of another issuer", "malformed", () => sign({ iss: `${issuer}0` })],
    ["from the future", "malformed", () => sign({ iat: seconds() + 40 })],
    ["not yet valid", "malformed", () => sign({ nbf: seconds() + 40 })],
    ["of another type", "malformed", () => sign({}, { header: { typ: "JWT" } })],
    ["with no type", "malformed", () => sign({}, { header: { typ: undefined } })],
    ["signed by another key", "malformed", () => sign({}, { key: OTHER.privateKey })],
    ["with an unknown key", "malformed", () => sign({}, { header: { kid: "none" } })],
    ["with a shared secret", "malformed", () => hmac()],
    ["with no signature", "malformed", () => unsigned()],
    ["with a critical extension", "malformed", () => critical()],
    ["that was altered", "malformed", () => altered()],
    ["that is empty", "malformed", async () => ""],
    ["that is no token", "malformed", async () => "a.b.c"],
    ["that is huge", "malformed", () => sign({ roles: ["r".repeat(4_000)] })],
    ["with a generation below 0", "malformed", () => sign({ gen: -1 })],
    ["with a generation in words", "malformed", () => sign({ gen: "4" })],
    ["with one role", "malformed", () => sign({ roles: "admin" })],
    ...["sub", "sid", "gen", "roles", "auth_time", "amr", "jti", "iat", "exp", "iss"].map(
      (claim) => [`without ${claim}`, "malformed", () => sign({ [claim]: undefined })] as const,
    ),
  ];

  test.each(bad)("%s is refused as %s", async (_what, problem, make) => {
    const error = await verifier()
      .verify(await make())
      .catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(InvalidTokenError);
    expect(error).toMatchObject({ problem });
  });
});

describe("the public keys", () => {
  test("are fetched once for many tokens", async () => {
    const tokens = await Promise.all(Array.from({ length: 20 }, () => sign()));
    const shared = verifier();

    await Promise.all(tokens.map((token) => shared.verify(token)));

    expect(jwks.fetches).toBe(1);
  });

  test("are not fetched for each token with an unknown key", async () => {
    const shared = verifier();
    await shared.verify(await sign());

    for (let n = 0; n < 20; n++) {
      const token = await sign({}, { header: { kid: `unknown-${n}` } });
      await expect(shared.verify(token)).rejects.toThrow(InvalidTokenError);
    }

    expect(jwks.fetches).toBe(1);
  });

  test("are fetched again for a new key, after 30 s", async () => {
    const shared = verifier();
    await shared.verify(await sign());
    jwks.keys.push({ ...(await exportJWK(OTHER.publicKey)), kid: "next", alg: "ES256" });
    advance(31_000);

    const token = await sign({}, { key: OTHER.privateKey, header: { kid: "next" } });

    await expect(shared.verify(token)).resolves.toBeDefined();
    expect(jwks.fetches).toBe(2);
  });

  test("serve on when they cannot be fetched anew, for 30 minutes", async () => {
    const shared = verifier();
    await shared.verify(await sign());
    jwks.broken = true;

    advance(29 * 60_000);
    await shared.verify(await sign());
    await vi.waitFor(() => expect(jwks.fetches).toBe(2));
    advance(31 * 60_000);
    const late = shared.verify(await sign());

    await expect(late).rejects.toThrow(VerifierUnavailableError);
    jwks.broken = false;
    await expect(shared.verify(await sign())).resolves.toBeDefined();
    await vi.waitFor(() => expect(jwks.fetches).toBe(5)); // The last is in the background.
  });

  test("are forgotten within 5 minutes of their withdrawal", async () => {
    const shared = verifier();
    const [first = {}] = jwks.keys;
    await shared.verify(await sign());
    jwks.keys.shift();

    advance(5 * 60_000);
    await shared.verify(await sign()); // Starts the fetch, and does not wait for it.
    await vi.waitFor(() => expect(jwks.fetches).toBe(2));

    await vi.waitFor(async () => {
      await expect(shared.verify(await sign())).rejects.toThrow(InvalidTokenError);
    });
    jwks.keys.unshift(first);
  });

  test("that cannot be fetched are no fault of the token", async () => {
    jwks.broken = true;

    const error = verifier().verify(await sign());

    await expect(error).rejects.toThrow(VerifierUnavailableError);
  });
});

describe("a verifier", () => {
  test.each([
    ["no issuer", { issuer: "", audience: "shop" }],
    ["an issuer that is no Site's", { issuer: "https://id.example.com", audience: "shop" }],
    ["no audience", { issuer: `https://id.example.com/sites/${SITE_ID}`, audience: [] }],
    ["an empty audience", { issuer: `https://id.example.com/sites/${SITE_ID}`, audience: "" }],
  ])("is not made with %s", (_what, options) => {
    expect(() => createTokenVerifier(options)).toThrow(TypeError);
  });
});

/** Moves both clocks on, from the start of the test. */
function advance(ms: number): void {
  const [now, sinceStartMs] = [Date.now(), performance.now()];
  vi.useRealTimers();
  vi.useFakeTimers({ toFake: ["Date"], now: now + ms });
  vi.spyOn(performance, "now").mockReturnValue(sinceStartMs + ms);
}

/** What an attacker makes who takes the public key for a shared secret. */
async function hmac(): Promise<string> {
  const secret = new TextEncoder().encode(JSON.stringify(await exportJWK(ES256.publicKey)));
  return sign({}, { key: secret, header: { alg: "HS256" } });
}

async function unsigned(): Promise<string> {
  const [, payload] = (await sign()).split(".");
  const header = Buffer.from('{"alg":"none","typ":"at+jwt","kid":"es"}').toString("base64url");
  return `${header}.${payload}.`;
}

async function critical(): Promise<string> {
  const [, payload, signature] = (await sign()).split(".");
  const header = { alg: "ES256", typ: "at+jwt", kid: "es", crit: ["x"], x: 1 };
  return `${Buffer.from(JSON.stringify(header)).toString("base64url")}.${payload}.${signature}`;
}

async function altered(): Promise<string> {
  const [header, , signature] = (await sign()).split(".");
  const payload = Buffer.from(JSON.stringify(claims({ roles: ["admin"] }))).toString("base64url");
  return `${header}.${payload}.${signature}`;
}
