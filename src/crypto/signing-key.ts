import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair as generateKeyPairWithCallback,
  type KeyObject,
  type webcrypto,
} from "node:crypto";
import { promisify } from "node:util";
import type { SigningKeyId } from "../model/id.ts";

const generateKeyPair = promisify(generateKeyPairWithCallback);

/** The algorithms that sign access tokens; a Site chooses one. */
export type SigningAlgorithm = "ES256" | "RS256";

/** The public half of a signing key. */
export interface VerificationKey {
  /** Stands as `kid` in the header of each token and in the JWKS. */
  readonly id: SigningKeyId;
  readonly algorithm: SigningAlgorithm;
  readonly publicKey: KeyObject;
}

/** A key pair of a Site. */
export interface SigningKey extends VerificationKey {
  readonly privateKey: KeyObject;
}

/** A public key as a JWKS lists it (RFC 7517 §4); it has no private member. */
export type PublicJwk = Readonly<webcrypto.JsonWebKey> & {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly use: "sig";
};

const RSA_BITS = 2_048; // RFC 7518 §3.3 asks for at least that many.
const RSA_BITS_MAX = 4_096; // A verification with a longer key takes too much of the event loop.

/** Makes a key pair off the event loop: RS256 takes about 100 ms, ES256 under one. */
export async function generateSigningKey(
  id: SigningKeyId,
  algorithm: SigningAlgorithm,
): Promise<SigningKey> {
  const pair =
    algorithm === "ES256"
      ? await generateKeyPair("ec", { namedCurve: "P-256" })
      : await generateKeyPair("rsa", { modulusLength: RSA_BITS });
  return { id, algorithm, ...pair };
}

/** Returns the private half in PKCS #8 DER form, in clear: seal it before it is stored. */
export function exportPrivateKey(key: SigningKey): Buffer {
  return key.privateKey.export({ type: "pkcs8", format: "der" });
}

/**
 * Reads what {@link exportPrivateKey} wrote.
 *
 * @throws {Error} if the bytes are no key, or not one of that algorithm.
 */
export function importSigningKey(
  id: SigningKeyId,
  algorithm: SigningAlgorithm,
  pkcs8: Buffer,
): SigningKey {
  const privateKey = createPrivateKey({ key: pkcs8, type: "pkcs8", format: "der" });
  const publicKey = createPublicKey(privateKey);
  checkAlgorithm(algorithm, publicKey);
  return { id, algorithm, publicKey, privateKey };
}

/**
 * Reads a public key that was stored as a JWK, so that checking a token needs no private half.
 *
 * @throws {Error} if the JWK is no key, or not one of that algorithm.
 */
export function importVerificationKey(
  id: SigningKeyId,
  algorithm: SigningAlgorithm,
  jwk: webcrypto.JsonWebKey,
): VerificationKey {
  const publicKey = createPublicKey({ key: jwk, format: "jwk" });
  checkAlgorithm(algorithm, publicKey);
  return { id, algorithm, publicKey };
}

/** Returns the public half as the JWKS of the Site lists it. */
export function toPublicJwk({ id, algorithm, publicKey }: VerificationKey): PublicJwk {
  return { ...publicKey.export({ format: "jwk" }), kid: id, alg: algorithm, use: "sig" };
}

function checkAlgorithm(algorithm: SigningAlgorithm, publicKey: KeyObject): void {
  const type = publicKey.asymmetricKeyType;
  const { namedCurve, modulusLength = 0 } = publicKey.asymmetricKeyDetails ?? {};
  const fits =
    algorithm === "ES256"
      ? type === "ec" && namedCurve === "prime256v1"
      : type === "rsa" && modulusLength >= RSA_BITS && modulusLength <= RSA_BITS_MAX;
  if (!fits) throw new Error(`the key does not fit ${algorithm}`);
}
