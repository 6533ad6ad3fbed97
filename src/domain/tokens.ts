import { randomUUID } from "node:crypto";
import { signAccessToken, verifyAccessToken } from "../crypto/access-token.ts";
import type { AccessTokenClaims } from "../model/access-token-claims.ts";
import type { UserCaller } from "../model/caller.ts";
import { invalidField } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import type { Secret } from "../model/secret.ts";
import { secret } from "../model/secret.ts";
import type { Session } from "../model/session.ts";
import { issuerOf } from "../model/site.ts";
import type { User } from "../model/user.ts";
import { isSessionAlive } from "../store/sessions.ts";
import type { Deps } from "./deps.ts";
import type { KnownSite } from "./known-sites.ts";

/** An access token and when it expires. */
export interface AccessToken {
  readonly text: Secret;
  readonly expireTime: Date;
}

/** What came of a check. `expired` and `revoked` are said only of tokens that were right. */
export type TokenCheck =
  | { readonly valid: true; readonly siteId: SiteId; readonly claims: AccessTokenClaims }
  | { readonly valid: false; readonly reason: "malformed" | "expired" | "audience" | "revoked" };

/** Makes an access token of a Session; it never outlives the Session. */
export function mintAccessToken(
  deps: Deps,
  known: KnownSite,
  session: Session,
  user: User,
  generation: number,
): AccessToken {
  const issueTime = deps.clock.now();
  const lifetimeMs = known.site.lifetimes.accessTokenSeconds * 1_000;
  const endMs = Math.min(issueTime.getTime() + lifetimeMs, session.absoluteExpireTime.getTime());
  const expireTime = new Date(Math.floor(endMs / 1_000) * 1_000);
  return signedToken(known, {
    issuer: issuerOf(deps.publicUrl, session.siteId),
    audiences: session.audiences,
    userId: session.userId,
    sessionId: session.id,
    generation,
    roles: user.roles,
    authTime: session.authTime,
    authMethods: session.amr,
    tokenId: randomUUID(),
    issueTime,
    expireTime,
  });
}

/** For how long a token for another audience lives, unless something else is asked for. */
const EXCHANGED_SECONDS = 300;
const EXCHANGED_SECONDS_MIN = 10;

/**
 * Makes a token for another audience out of the caller's own. It belongs to the same Session and
 * generation, and never outlives the token it was made from.
 *
 * @throws {Failure} `invalid_field`
 */
export async function exchangeToken(
  deps: Deps,
  { siteId, token }: UserCaller,
  { audience, lifetimeSeconds }: { readonly audience: string; readonly lifetimeSeconds: number },
): Promise<AccessToken> {
  const known = await deps.sites.get(siteId);
  if (audience === token.issuer) throw invalidField("audience", "must not be the Site's issuer");
  const secondsMax = known.site.lifetimes.accessTokenSeconds;
  const seconds = lifetimeSeconds || Math.min(EXCHANGED_SECONDS, secondsMax);
  if (seconds < EXCHANGED_SECONDS_MIN || seconds > secondsMax) {
    const problem = `must be from ${EXCHANGED_SECONDS_MIN} to ${secondsMax}`;
    throw invalidField("lifetime_seconds", problem);
  }
  const issueTime = deps.clock.now();
  const endMs = Math.min(issueTime.getTime() + seconds * 1_000, token.expireTime.getTime());
  const expireTime = new Date(Math.floor(endMs / 1_000) * 1_000);
  const tokenId = randomUUID();
  return signedToken(known, { ...token, audiences: [audience], tokenId, issueTime, expireTime });
}

function signedToken({ signingKey }: KnownSite, claims: AccessTokenClaims): AccessToken {
  return { text: secret(signAccessToken(signingKey, claims)), expireTime: claims.expireTime };
}

/**
 * Returns the audiences of a Session's tokens: those asked for, or the Site's default, and
 * Signet itself, whose issuer is always among them.
 */
export function audiencesOf(
  deps: Deps,
  { site }: KnownSite,
  requested: readonly string[],
): string[] {
  const issuer = issuerOf(deps.publicUrl, site.id);
  const wanted = requested.length > 0 ? requested : [site.defaultAudience || issuer];
  return [...new Set([...wanted, issuer])];
}

/**
 * Checks an access token of the Site: form, signature, issuer, times, audience, revocation.
 *
 * In the common case this takes no database: revocations have come by the log. Only while the
 * reader of this process lags is the Session looked up.
 */
export async function checkToken(
  deps: Deps,
  siteId: SiteId,
  token: string,
  audience: string,
): Promise<TokenCheck> {
  const known = await deps.sites.get(siteId);
  const issuer = issuerOf(deps.publicUrl, siteId);
  const now = deps.clock.now();
  const audiences = [audience || known.site.defaultAudience || issuer];
  const { findKey, readToken } = known;
  const result = verifyAccessToken(token, { issuer, audiences, now, findKey }, readToken);
  if (!result.valid) {
    return { valid: false, reason: result.reason === "invalid" ? "malformed" : result.reason };
  }
  const { claims } = result;
  const revoked = isRevoked(deps, siteId, claims, now);
  if (revoked === true || (revoked && (await revoked))) return { valid: false, reason: "revoked" };
  return { valid: true, siteId, claims };
}

function isRevoked(
  deps: Deps,
  siteId: SiteId,
  claims: AccessTokenClaims,
  now: Date,
): boolean | Promise<boolean> {
  const { userId, sessionId, generation } = claims;
  if (deps.live.isTokenRevoked({ siteId, userId, sessionId, generation })) return true;
  if (deps.live.isFresh()) return false;
  const db = deps.db.validation.readIn(siteId);
  return isSessionAlive(db, siteId, sessionId, generation, now).then((isAlive) => !isAlive);
}
