import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  exportPrivateKey,
  generateSigningKey,
  importSigningKey,
  importVerificationKey,
  type SigningAlgorithm,
  toPublicJwk,
} from "../../../src/crypto/signing-key.ts";
import { newId, type SigningKeyId } from "../../../src/model/id.ts";

const id = newId<SigningKeyId>();
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "k", "oth"];

describe.each<SigningAlgorithm>(["ES256", "RS256"])("a signing key of %s", (algorithm) => {
  test("comes back from its stored form", async () => {
    const key = await generateSigningKey(id, algorithm);

    const restored = importSigningKey(id, algorithm, exportPrivateKey(key));

    expect(restored.privateKey.equals(key.privateKey)).toBe(true);
    expect(restored.publicKey.equals(key.publicKey)).toBe(true);
  });

  test("publishes its public half alone", async () => {
    const key = await generateSigningKey(id, algorithm);

    const jwk = toPublicJwk(key);

    expect(jwk).toMatchObject({ kid: id, alg: algorithm, use: "sig" });
    expect(Object.keys(jwk).filter((name) => PRIVATE_MEMBERS.includes(name))).toEqual([]);
    const { publicKey } = importVerificationKey(id, algorithm, jwk);
    expect(publicKey.equals(key.publicKey)).toBe(true);
  });

  test("does not take a key of the other algorithm", async () => {
    const key = await generateSigningKey(id, algorithm === "ES256" ? "RS256" : "ES256");

    expect(() => importSigningKey(id, algorithm, exportPrivateKey(key))).toThrow("does not fit");
    expect(() => importVerificationKey(id, algorithm, toPublicJwk(key))).toThrow("does not fit");
  });
});

test.each([
  ["ES256", generateKeyPairSync("ec", { namedCurve: "P-384" })],
  ["RS256", generateKeyPairSync("rsa", { modulusLength: 1_024 })],
] as const)("a signing key of %s must be of the right size", (algorithm, { privateKey }) => {
  const pkcs8 = privateKey.export({ type: "pkcs8", format: "der" });

  expect(() => importSigningKey(id, algorithm, pkcs8)).toThrow("does not fit");
});
