import type { JWTPayload } from "jose";

/** What a good access token says. Its times are whole seconds. */
export interface VerifiedToken {
  readonly userId: string;
  readonly siteId: string;
  /** The Session that the token belongs to; it ends with a logout. */
  readonly sessionId: string;
  /** The User's Generation when the token was made. */
  readonly generation: number;
  /** The User's roles when the token was made. */
  readonly roles: readonly string[];
  readonly audiences: readonly string[];
  /** When the User last proved who they are. */
  readonly authTime: Date;
  /** How they did (RFC 8176), such as `pwd` and `otp`. */
  readonly authMethods: readonly string[];
  readonly issueTime: Date;
  readonly expireTime: Date;
  /** The token's own id. */
  readonly tokenId: string;
}

/** A token that was found good, and the key that signed it. */
export interface CheckedToken {
  readonly verified: VerifiedToken;
  readonly keyId: string;
}

/** The claims that every access token of Signet has. */
export const REQUIRED_CLAIMS: readonly string[] = [
  ...["iss", "aud", "sub", "sid", "gen", "roles"],
  ...["auth_time", "amr", "jti", "iat", "exp"],
];

/** Reads the claims of a signed token; undefined if one has not the type that Signet gives it. */
export function readVerifiedToken(siteId: string, claims: JWTPayload): VerifiedToken | undefined {
  const { aud, sub, sid, gen, roles, auth_time, amr, jti, iat, exp } = claims;
  const audiences = typeof aud === "string" ? [aud] : aud;
  if (!isText(sub) || !isText(sid) || !isText(jti)) return undefined;
  if (!isTexts(audiences) || !isTexts(roles) || !isTexts(amr)) return undefined;
  if (!isCount(gen) || !isCount(auth_time) || !isCount(iat) || !isCount(exp)) return undefined;
  // Frozen, since it is shared by all who bring the same token.
  return Object.freeze({
    userId: sub,
    siteId,
    sessionId: sid,
    generation: gen,
    roles: Object.freeze(roles),
    audiences: Object.freeze(audiences),
    authTime: fromSeconds(auth_time),
    authMethods: Object.freeze(amr),
    issueTime: fromSeconds(iat),
    expireTime: fromSeconds(exp),
    tokenId: jti,
  });
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function fromSeconds(seconds: number): Date {
  return new Date(seconds * 1_000);
}
