import { sign, verify } from "node:crypto";
import { LIMITS } from "../model/limits.ts";
import { decodeBase64Url } from "./base64url.ts";
import type { SigningKey, VerificationKey } from "./signing-key.ts";

/** The one kind of token that this file accepts (RFC 9068 §2.1). */
const TYPE = "at+jwt";

/**
 * Signs claims as a compact JWS (RFC 7515 §7.1), in this thread; `type` tells one kind of token
 * from another (RFC 8725 §3.11).
 *
 * In this thread, because the asynchronous functions share four threads with argon2 and
 * would wait behind hundreds of logins.
 *
 * @throws {Error} if the token had more than 4 KiB, which the limits of the claims rule out.
 */
export function signJws(
  key: SigningKey,
  claims: Readonly<Record<string, unknown>>,
  type: "at+jwt" | "identity+jwt" = TYPE,
): string {
  const header = encodeJson({ alg: key.algorithm, typ: type, kid: key.id });
  const signed = `${header}.${encodeJson(claims)}`;
  const signature = sign("sha256", Buffer.from(signed), {
    key: key.privateKey,
    dsaEncoding: "ieee-p1363",
  });
  const token = `${signed}.${signature.toString("base64url")}`;
  if (token.length > LIMITS.tokenLengthMax) throw new Error("the token is too long");
  return token;
}

/**
 * Returns the claims of a token that one of the keys signed; undefined for any other text.
 *
 * The header must have exactly `alg`, `typ` and `kid`: a key, an address of a key or a `crit`
 * in it is refused, not ignored. The algorithm is the key's; the header's must agree with it
 * (RFC 8725 §3.1). Only one spelling of each token is accepted.
 */
export function verifyJws(
  token: string,
  findKey: (kid: string) => VerificationKey | undefined,
): Readonly<Record<string, unknown>> | undefined {
  if (token.length > LIMITS.tokenLengthMax) return undefined;
  const [header, payload, signature, ...rest] = token.split(".", 4);
  if (!header || !payload || !signature || rest.length > 0) return undefined;
  const key = findHeaderKey(header, findKey);
  const signatureBytes = decodeBase64Url(signature);
  if (!key || !signatureBytes) return undefined;
  const signed = token.slice(0, header.length + 1 + payload.length);
  return isSignedBy(key, signed, signatureBytes) ? decodeJson(payload) : undefined;
}

function findHeaderKey(
  text: string,
  findKey: (kid: string) => VerificationKey | undefined,
): VerificationKey | undefined {
  const header = decodeJson(text);
  if (!header || Object.keys(header).length !== 3) return undefined;
  const { alg, typ, kid } = header;
  if (typ !== TYPE || typeof kid !== "string") return undefined;
  const key = findKey(kid);
  return key && key.id === kid && key.algorithm === alg ? key : undefined;
}

function isSignedBy(key: VerificationKey, text: string, signature: Buffer): boolean {
  if (signature.length !== signatureLength(key)) return false;
  const options = { key: key.publicKey, dsaEncoding: "ieee-p1363" } as const;
  return verify("sha256", Buffer.from(text), options, signature);
}

/** A signature of another length is DER, or made for another algorithm. */
function signatureLength({ algorithm, publicKey }: VerificationKey): number {
  if (algorithm === "ES256") return 64;
  return (publicKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
}

function encodeJson(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/**
 * Reads an object from base64url.
 *
 * The text must be what we would write for that object, so no member stands in it twice: of
 * two, one reader would check the first and another use the second.
 */
function decodeJson(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    return isObject(value) && encodeJson(value) === text ? value : undefined;
  } catch {
    return undefined; // A SyntaxError: it is no JSON.
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
