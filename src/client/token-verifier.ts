import { errors, type JWTVerifyGetKey, jwtVerify } from "jose";
import { createKeySet } from "./key-set.ts";
import { createSeenTokens } from "./seen-tokens.ts";
import { InvalidTokenError, VerifierUnavailableError } from "./token-error.ts";
import {
  type CheckedToken,
  REQUIRED_CLAIMS,
  readVerifiedToken,
  type VerifiedToken,
} from "./verified-token.ts";

/** Whose tokens are good, and for whom they must be. */
export type TokenVerifierOptions = TokenIssuer & {
  /** Whom a token must be for: it names at least one of these. Usually the name of this app. */
  readonly audience: string | readonly string[];
  /** Where the Site's public keys are; default: `{issuer}/.well-known/jwks.json`. */
  readonly jwksUrl?: string;
};

/** The Site: by its issuer, as GetSite tells it, or by its id at Signet's public address. */
export type TokenIssuer =
  | { readonly issuer: string }
  | { readonly url: string; readonly siteId: string };

/** Checks access tokens locally. */
export interface TokenVerifier {
  /**
   * Checks type, signature, issuer, audience and times of an access token, and that every claim
   * is there, without a call to Signet but for its public keys, which are fetched at first use
   * and then every 5 minutes. A token that was good is remembered for a minute. Clocks may differ
   * by 30 s.
   *
   * A verifier that follows revocations (`tokenVerifier` of the client) refuses a token within a
   * second of its end. The answer of one that does not may be up to one token lifetime out of
   * date (15 minutes by default, at most an hour): it does not know of a logout, a disabled User
   * or changed roles. Ask ValidateToken where that matters.
   *
   * @throws {InvalidTokenError} where the token is not good; `problem` says why.
   * @throws {VerifierUnavailableError} where it cannot be told.
   */
  verify(token: string): Promise<VerifiedToken>;
}

/**
 * Makes a verifier for the access tokens of one Site (RFC 9068). One for the whole program is
 * enough, and best: it keeps the keys.
 *
 * @throws {TypeError} where the issuer is not that of a Site, or there is no audience.
 */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { check } = createTokenCheck(options);
  return { verify: async (token) => (await check(token)).verified };
}

/** The check that all verifiers share, without revocations. */
export interface TokenCheck {
  /** Answers at once for a token that was seen before. Throws what a verifier throws. */
  check(token: string): CheckedToken | Promise<CheckedToken>;
}

/** Makes the check; see {@link createTokenVerifier}. */
export function createTokenCheck(options: TokenVerifierOptions): TokenCheck {
  const issuer = "issuer" in options ? options.issuer : issuerAt(options.url, options.siteId);
  const siteId = siteIdOf(issuer);
  const audience = readAudience(options.audience);
  const keys = createKeySet(options.jwksUrl ?? `${issuer}/.well-known/jwks.json`);
  const rules = { issuer, audience, ...TOKEN_RULES };
  const seen = createSeenTokens(CLOCK_TOLERANCE_SECONDS * 1_000);

  async function checkAnew(token: string): Promise<CheckedToken> {
    const { payload, protectedHeader } = await verifyJwt(token, keys, rules);
    const verified = readVerifiedToken(siteId, payload);
    const earliestMs = Date.now() + CLOCK_TOLERANCE_SECONDS * 1_000;
    // jose checks `nbf` alone, which Signet does not set: a token begins when it is issued.
    if (!verified || verified.issueTime.getTime() > earliestMs) {
      throw new InvalidTokenError("malformed");
    }
    const checked = { verified, keyId: protectedHeader.kid ?? "" };
    seen.add(token, checked);
    return checked;
  }

  return { check: (token) => seen.get(token) ?? checkAnew(token) };
}

/** @throws {TypeError} where there is no audience, or an empty one. */
export function readAudience(audience: string | readonly string[]): string[] {
  const audiences = [audience].flat();
  if (audiences.length > 0 && !audiences.includes("")) return audiences;
  throw new TypeError("audience is missing");
}

const TOKEN_LENGTH_MAX = 4_096;
const CLOCK_TOLERANCE_SECONDS = 30;
const TOKEN_RULES = {
  typ: "at+jwt",
  algorithms: ["ES256", "RS256"],
  clockTolerance: CLOCK_TOLERANCE_SECONDS,
  requiredClaims: [...REQUIRED_CLAIMS],
};

function issuerAt(url: string, siteId: string): string {
  return `${url.replace(/\/$/, "")}/sites/${siteId}`;
}

function siteIdOf(issuer: string): string {
  const siteId = /^https?:\/\/.+\/sites\/([0-9a-f-]{36})$/.exec(issuer)?.[1];
  if (!siteId) throw new TypeError(`${issuer} is not the issuer of a Site`);
  return siteId;
}

type TokenRules = Parameters<typeof jwtVerify>[2];

async function verifyJwt(token: string, keys: JWTVerifyGetKey, rules: TokenRules) {
  if (token.length > TOKEN_LENGTH_MAX) throw new InvalidTokenError("malformed");
  try {
    return await jwtVerify(token, keys, rules);
  } catch (error) {
    throw toTokenError(error);
  }
}

function toTokenError(error: unknown): Error {
  if (error instanceof VerifierUnavailableError) return error;
  if (error instanceof errors.JWTExpired) return new InvalidTokenError("expired", { cause: error });
  const isAudience = error instanceof errors.JWTClaimValidationFailed && error.claim === "aud";
  return new InvalidTokenError(isAudience ? "audience" : "malformed", { cause: error });
}
