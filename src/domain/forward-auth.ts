import { signIdentityToken } from "../crypto/identity-token.ts";
import type { AccessTokenClaims } from "../model/access-token-claims.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import type {
  Identity,
  ProxiedRequest,
  ProxyVerdict,
  RouteRequirements,
} from "../model/proxied-request.ts";
import { issuerOf } from "../model/site.ts";
import { createSiteReader } from "./authentication.ts";
import type { Deps } from "./deps.ts";
import type { KnownUsers } from "./known-users.ts";
import { loginUrlFor } from "./login-redirect.ts";
import { checkToken } from "./tokens.ts";

/** How proxies are answered. */
export interface ForwardAuthSettings {
  /** The cookie that may hold an access token; absent: none does. */
  readonly cookieName: string | undefined;
  /** Where browsers sign in; absent: they are sent nowhere. */
  readonly loginUrl: string | undefined;
  /** How long an identity token is good; 0: none is made. */
  readonly identitySeconds: number;
}

/** Judges a request that a proxy asks about. @throws {Failure} `unavailable` */
export type ForwardAuth = (
  request: ProxiedRequest,
  requirements: RouteRequirements,
) => Promise<ProxyVerdict>;

const BEARER = /^Bearer ([\x21-\x7e]+)$/i; // RFC 6750 §2.1.

/**
 * Creates the judge of requests that proxies ask about.
 *
 * Only an access token of a User lets a request pass, checked as ValidateToken does. In the common
 * case this takes no database: what the token does not say of the User is kept in memory.
 */
export function createForwardAuth(
  deps: Deps,
  users: KnownUsers,
  settings: ForwardAuthSettings,
): ForwardAuth {
  const siteOfToken = createSiteReader(deps.publicUrl);
  return async (request, requirements) => {
    const { isGiven, token } = credentialOf(request, settings.cookieName);
    const identity = token ? await identify(token, requirements) : undefined;
    if (!identity) {
      const loginUrl = await loginUrlFor(deps, settings.loginUrl, request, requirements);
      return { kind: "unknown", hasCredential: isGiven, loginUrl };
    }
    return meets(identity, requirements) ? { kind: "passed", identity } : { kind: "denied" };
  };

  async function identify(
    token: string,
    { audience }: RouteRequirements,
  ): Promise<Identity | undefined> {
    const siteId = siteOfToken(token);
    const check = siteId && (await checkOfKnownSite(deps, siteId, token, audience));
    if (!check?.valid) return undefined;
    const { userId, roles } = check.claims;
    const user = await users.get(check.siteId, userId);
    // Whoever is not active any more has lost the Session too: this is the second look.
    if (user?.state !== "active") return undefined;
    const email = (user.emailVerified && user.email) || "";
    const identity = { userId, siteId: check.siteId, email, roles, token: "" };
    if (settings.identitySeconds === 0) return identity;
    return { ...identity, token: await sign(identity, check.claims, audience) };
  }

  /** It is for whom the access token was checked, and never outlives that one. */
  async function sign(identity: Identity, claims: AccessTokenClaims, audience: string) {
    const { site, signingKey } = await deps.sites.get(identity.siteId);
    const issuer = issuerOf(deps.publicUrl, identity.siteId);
    const issueTime = deps.clock.now();
    const endMs = issueTime.getTime() + settings.identitySeconds * 1_000;
    return signIdentityToken(signingKey, {
      ...identity,
      issuer,
      audience: audience || site.defaultAudience || issuer,
      issueTime,
      expireTime: new Date(Math.min(endMs, claims.expireTime.getTime())),
    });
  }
}

/** What a request proves itself with. A header goes before the cookie, whatever it holds. */
function credentialOf(
  { authorizations, cookies }: ProxiedRequest,
  cookieName: string | undefined,
): { readonly isGiven: boolean; readonly token: string | undefined } {
  if (authorizations.length > 0) {
    // Of two, the app behind the proxy might believe the other one.
    const [only = "", ...others] = authorizations;
    const isRight = others.length === 0 && only.length <= LIMITS.tokenLengthMax + 16;
    return { isGiven: true, token: isRight ? BEARER.exec(only)?.[1] : undefined };
  }
  const values = cookieName === undefined ? [] : cookiesNamed(cookieName, cookies);
  const token = values.length === 1 ? values[0] : undefined;
  return { isGiven: values.some((value) => value !== ""), token };
}

function cookiesNamed(name: string, cookies: string): string[] {
  const prefix = `${name}=`;
  const pairs = cookies.split(";").map((pair) => pair.trim());
  return pairs.filter((pair) => pair.startsWith(prefix)).map((pair) => pair.slice(prefix.length));
}

/** A Site that does not exist has no tokens. */
async function checkOfKnownSite(deps: Deps, siteId: SiteId, token: string, audience: string) {
  try {
    return await checkToken(deps, siteId, token, audience);
  } catch (error) {
    if (error instanceof Failure && error.reason === "site_not_found") return undefined;
    throw error;
  }
}

function meets({ siteId, roles }: Identity, required: RouteRequirements): boolean {
  return (
    required.siteIds.every((siteIds) => siteIds.includes(siteId)) &&
    required.roles.every((anyOf) => anyOf.some((role) => roles.includes(role)))
  );
}
