import { createHmac, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { verifyAccessToken } from "../../../src/crypto/access-token.ts";
import {
  generateSigningKey,
  type SigningKey,
  toPublicJwk,
} from "../../../src/crypto/signing-key.ts";
import { newId, type SigningKeyId } from "../../../src/model/id.ts";

const nowSeconds = 1_900_000_000;
const key = await generateSigningKey(newId<SigningKeyId>(), "ES256");
const rsaKey = await generateSigningKey(newId<SigningKeyId>(), "RS256");
const foreignKey = await generateSigningKey(newId<SigningKeyId>(), "ES256");

const header = { alg: "ES256", typ: "at+jwt", kid: key.id };
const payload = {
  iss: "https://id.example.com/sites/1",
  aud: "app",
  sub: "0198c0de-0000-7000-8000-000000000001",
  sid: "0198c0de-0000-7000-8000-000000000002",
  gen: 1,
  roles: ["admin"],
  auth_time: nowSeconds,
  amr: ["pwd"],
  jti: "token-1",
  iat: nowSeconds,
  exp: nowSeconds + 900,
};

const encode = (text: string | Buffer) => Buffer.from(text).toString("base64url");

/** Signs any two texts, as a forger with the right key could. */
function signTexts(headerText: string, payloadText: string | Buffer, by: SigningKey = key): string {
  const signed = `${encode(headerText)}.${encode(payloadText)}`;
  const options = { key: by.privateKey, dsaEncoding: "ieee-p1363" } as const;
  return `${signed}.${encode(sign("sha256", Buffer.from(signed), options))}`;
}

const signed = (head: object, body: object = payload, by: SigningKey = key) =>
  signTexts(JSON.stringify(head), JSON.stringify(body), by);
const withHeader = (extra: object) => signed({ ...header, ...extra });
const withClaims = (extra: object) => signed(header, { ...payload, ...extra });
const withSignature = (signature: string | Buffer) =>
  `${encode(JSON.stringify(header))}.${encode(JSON.stringify(payload))}.${encode(signature)}`;
const good = signed(header);

function check(token: string) {
  return verifyAccessToken(token, {
    issuer: payload.iss,
    audiences: ["app"],
    now: new Date(nowSeconds * 1_000),
    findKey: (kid) => [key, rsaKey].find(({ id }) => id === kid),
  });
}

function hmacWithPublicKey(): string {
  const pem = key.publicKey.export({ type: "spki", format: "pem" });
  const head = encode(JSON.stringify({ ...header, alg: "HS256" }));
  const text = `${head}.${encode(JSON.stringify(payload))}`;
  return `${text}.${createHmac("sha256", pem).update(text).digest("base64url")}`;
}

function signedAsDer(): string {
  const text = `${encode(JSON.stringify(header))}.${encode(JSON.stringify(payload))}`;
  return `${text}.${encode(sign("sha256", Buffer.from(text), key.privateKey))}`;
}

const jwk = toPublicJwk(foreignKey);

/** Tokens that the key itself may have signed, and that must be refused all the same. */
const forgeries: Readonly<Record<string, string>> = {
  nothing: "",
  "dots alone": "..",
  text: "not a token",
  "no signature": good.slice(0, good.lastIndexOf(".") + 1),
  "two parts": good.slice(0, good.lastIndexOf(".")),
  "five parts": `${good}.a.b`,
  "a trailing dot": `${good}.`,
  "trailing garbage": `${good}A`,
  "a trailing line break": `${good}\n`,
  "a space in front": ` ${good}`,
  padding: `${good}==`,
  "the base64 alphabet with plus": good.replaceAll("-", "+").replaceAll("_", "/").replace(/$/, "+"),
  "unused bits of the last letter": unusedBits(good),
  "more than 4 KiB": withClaims({ roles: ["x".repeat(4_000)] }),
  "alg none": `${encode(JSON.stringify({ ...header, alg: "none" }))}.${good.split(".")[1]}.`,
  "alg none, signed": withHeader({ alg: "none" }),
  "alg None": withHeader({ alg: "None" }),
  "alg HS256 with the public key as secret": hmacWithPublicKey(),
  "alg RS256 with an EC key": withHeader({ alg: "RS256" }),
  "alg ES256 with an RSA key": signed({ ...header, kid: rsaKey.id }, payload, rsaKey),
  "alg PS256 with an RSA key": signed({ ...header, alg: "PS256", kid: rsaKey.id }, payload, rsaKey),
  "alg in a list": withHeader({ alg: ["ES256"] }),
  "no alg": signed({ typ: "at+jwt", kid: key.id }),
  "typ JWT": withHeader({ typ: "JWT" }),
  "typ of an id token": withHeader({ typ: "id+jwt" }),
  "no typ": signed({ alg: "ES256", kid: key.id }),
  "no kid": signed({ alg: "ES256", typ: "at+jwt" }),
  "kid of another Site": signed({ ...header, kid: foreignKey.id }, payload, foreignKey),
  "a key of another Site under our kid": signed(header, payload, foreignKey),
  "kid of a property": signed({ ...header, kid: "constructor" }),
  "kid a number": signed({ ...header, kid: 1 }),
  "jwk in the header": signed({ ...header, jwk }, payload, foreignKey),
  "jwk in the header, right key": withHeader({ jwk }),
  jku: withHeader({ jku: "https://evil.example/jwks.json" }),
  x5u: withHeader({ x5u: "https://evil.example/x.pem" }),
  x5c: withHeader({ x5c: ["MIIB"] }),
  crit: withHeader({ crit: ["exp"] }),
  "empty crit": withHeader({ crit: [] }),
  "b64 false": withHeader({ crit: ["b64"], b64: false }),
  zip: withHeader({ zip: "DEF" }),
  "header a list": signTexts("[]", JSON.stringify(payload)),
  "header null": signTexts("null", JSON.stringify(payload)),
  "header no JSON": signTexts("{", JSON.stringify(payload)),
  "alg twice": signTexts(
    `{"alg":"none","typ":"at+jwt","kid":"${key.id}","alg":"ES256"}`,
    JSON.stringify(payload),
  ),
  "sub twice": signTexts(
    JSON.stringify(header),
    JSON.stringify(payload).replace("{", `{"sub":"${newId()}",`),
  ),
  "JSON with spaces": signTexts(JSON.stringify(header), JSON.stringify(payload, null, 1)),
  "bytes that are no UTF-8": signTexts(
    JSON.stringify(header),
    Buffer.from(JSON.stringify(payload).replace("token-1", "token-\xff"), "latin1"),
  ),
  "payload a list": signTexts(JSON.stringify(header), "[]"),
  "payload a text": signTexts(JSON.stringify(header), '"text"'),
  "signature in DER": signedAsDer(),
  "signature of zeros": withSignature(Buffer.alloc(64)),
  "r of zero": withSignature(Buffer.concat([Buffer.alloc(32), Buffer.alloc(32, 1)])),
  "s of zero": withSignature(Buffer.concat([Buffer.alloc(32, 1), Buffer.alloc(32)])),
  "signature past the order": withSignature(Buffer.alloc(64, 0xff)),
  "signature too short": withSignature(Buffer.alloc(63, 1)),
  "issuer of another Site": withClaims({ iss: "https://id.example.com/sites/2" }),
  "issuer with a slash more": withClaims({ iss: `${payload.iss}/` }),
  "issuer in a list": withClaims({ iss: [payload.iss] }),

  "no audience at all": withClaims({ aud: [] }),
  "audience an object": withClaims({ aud: { app: true } }),
  "audiences not all text": withClaims({ aud: ["app", 1] }),
  "iat in the future": withClaims({ iat: nowSeconds + 31 }),
  "nbf in the future": withClaims({ nbf: nowSeconds + 31 }),
  "nbf a text": withClaims({ nbf: "now" }),
  "exp a text": withClaims({ exp: `${nowSeconds + 900}` }),
  "exp past all numbers": signTexts(
    JSON.stringify(header),
    JSON.stringify(payload).replace(`${payload.exp}`, "1e400"),
  ),
  "exp in fractions": withClaims({ exp: nowSeconds + 0.5 }),
  "gen a text": withClaims({ gen: "1" }),
  "gen below zero": withClaims({ gen: -1 }),
  "sub no id": withClaims({ sub: "admin" }),
  "sub in upper case": withClaims({ sub: payload.sub.toUpperCase() }),
  "sid empty": withClaims({ sid: "" }),
  "roles a text": withClaims({ roles: "admin" }),
  "roles not all text": withClaims({ roles: ["admin", null] }),
  "amr a text": withClaims({ amr: "pwd" }),
  ...Object.fromEntries(
    Object.keys(payload).map((name) => [`no claim ${name}`, withClaims({ [name]: undefined })]),
  ),
};

/** The last letter of 64 bytes in base64url has four unused bits; this sets one. */
function unusedBits(token: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return token.slice(0, -1) + alphabet.charAt(alphabet.indexOf(token.slice(-1)) + 1);
}

describe("verifyAccessToken", () => {
  test("accepts the token that the forgeries are made of", () => {
    expect(check(good).valid).toBe(true);
    expect(check(signed({ ...header, alg: "RS256", kid: rsaKey.id }, payload, rsaKey)).valid).toBe(
      true,
    );
  });

  test.each(Object.entries(forgeries))("refuses a token with %s", (_, token) => {
    expect(token).not.toBe(good);
    expect(check(token)).toEqual({ valid: false, reason: "invalid" });
  });
});
