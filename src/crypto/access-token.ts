import type { AccessTokenClaims } from "../model/access-token-claims.ts";
import type { SessionId, UserId } from "../model/id.ts";
import { signJws, verifyJws } from "./jws.ts";
import type { SigningKey, VerificationKey } from "./signing-key.ts";

/** What a token must match. */
export interface AccessTokenRules {
  readonly issuer: string;
  /** The token must be for one of them. */
  readonly audiences: readonly string[];
  readonly now: Date;
  /** Finds a key of the issuer by its id; it must know no key of another Site. */
  findKey(kid: string): VerificationKey | undefined;
}

/** What a token says whose form and signature are right. */
export interface SignedToken {
  readonly claims: AccessTokenClaims;
  /** It begins when it is issued or, should another program have said so, later (`nbf`). */
  readonly startMs: number;
}

/** Reads a token that one of the keys has signed; undefined for any other text. */
export type ReadToken = (
  token: string,
  findKey: AccessTokenRules["findKey"],
) => SignedToken | undefined;

/** What came of a check. `expired` and `audience` are said only of a token that is the Site's. */
export type AccessTokenResult =
  | { readonly valid: true; readonly claims: AccessTokenClaims }
  | { readonly valid: false; readonly reason: "expired" | "audience" | "invalid" };

const TOLERANCE_MS = 30_000;
const INVALID = { valid: false, reason: "invalid" } as const;
const EXPIRED = { valid: false, reason: "expired" } as const;
const AUDIENCE = { valid: false, reason: "audience" } as const;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Signs an access token (RFC 9068): a JWT of type `at+jwt`, at most 4 KiB. */
export function signAccessToken(key: SigningKey, claims: AccessTokenClaims): string {
  const [audience, ...others] = claims.audiences;
  return signJws(key, {
    iss: claims.issuer,
    aud: others.length === 0 ? audience : claims.audiences,
    sub: claims.userId,
    sid: claims.sessionId,
    gen: claims.generation,
    roles: claims.roles,
    auth_time: toSeconds(claims.authTime),
    amr: claims.authMethods,
    jti: claims.tokenId,
    iat: toSeconds(claims.issueTime),
    exp: toSeconds(claims.expireTime),
  });
}

/**
 * Checks type, signature, issuer, audience and times of an access token, and that every claim
 * is there. Clocks may differ by 30 seconds.
 *
 * It does not know of revocations: the caller checks Session and Generation. `read` may be one
 * that remembers tokens.
 */
export function verifyAccessToken(
  token: string,
  rules: AccessTokenRules,
  read: ReadToken = readAccessToken,
): AccessTokenResult {
  const signed = read(token, rules.findKey);
  if (signed?.claims.issuer !== rules.issuer) return INVALID;
  const { claims, startMs } = signed;
  const now = rules.now.getTime();
  if (startMs > now + TOLERANCE_MS) return INVALID;
  if (now >= claims.expireTime.getTime() + TOLERANCE_MS) return EXPIRED;
  if (!claims.audiences.some((audience) => rules.audiences.includes(audience))) return AUDIENCE;
  return { valid: true, claims };
}

/** Reads a token by checking its signature. */
export const readAccessToken: ReadToken = (token, findKey) => {
  const payload = verifyJws(token, findKey);
  const claims = payload && readClaims(payload);
  return claims && { claims, startMs: startOf(claims, payload.nbf) };
};

/** Reads the claims; undefined if one is missing, malformed or of another type. */
function readClaims(payload: Readonly<Record<string, unknown>>): AccessTokenClaims | undefined {
  const { iss, aud, sub, sid, gen, roles, auth_time, amr, jti, iat, exp } = payload;
  const audiences = typeof aud === "string" ? [aud] : aud;
  if (!isText(iss) || !isTexts(audiences) || !isText(jti)) return undefined;
  if (audiences.length === 0) return undefined;
  if (!isUuid<UserId>(sub) || !isUuid<SessionId>(sid)) return undefined;
  if (!isCount(gen) || !isTexts(roles) || !isTexts(amr)) return undefined;
  if (!isCount(auth_time) || !isCount(iat) || !isCount(exp)) return undefined;
  return {
    issuer: iss,
    audiences,
    userId: sub,
    sessionId: sid,
    generation: gen,
    roles,
    authTime: fromSeconds(auth_time),
    authMethods: amr,
    tokenId: jti,
    issueTime: fromSeconds(iat),
    expireTime: fromSeconds(exp),
  };
}

function startOf(claims: AccessTokenClaims, notBefore: unknown): number {
  const issueMs = claims.issueTime.getTime();
  if (notBefore === undefined) return issueMs;
  return isCount(notBefore) ? Math.max(issueMs, notBefore * 1_000) : Number.POSITIVE_INFINITY;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

function isUuid<T extends string>(value: unknown): value is T {
  return typeof value === "string" && UUID.test(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function toSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1_000);
}

function fromSeconds(seconds: number): Date {
  return new Date(seconds * 1_000);
}
