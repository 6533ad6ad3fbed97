import { operatorKeyHash, readSiteSecret } from "../crypto/site-secret.ts";
import type { Caller, SiteKeyCaller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import { parseId, type SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { sameBytes } from "../model/secret.ts";
import { issuerOf } from "../model/site.ts";
import type { Deps } from "./deps.ts";
import type { KeyRing } from "./key-ring.ts";
import { checkToken } from "./tokens.ts";

/** Finds out who calls, from the credential alone. */
export interface Authentication {
  /**
   * Returns the caller; without a credential, an anonymous one.
   *
   * @throws {Failure} `credential_invalid`, which does not tell what is wrong with it.
   */
  authenticate(authorization: string | null): Promise<Caller>;
}

const BEARER = /^Bearer ([\x21-\x7e]+)$/i; // RFC 6750 §2.1.

/** Creates the check of credentials: operator key, site key or access token. */
export function createAuthentication(deps: Deps, keyRing: KeyRing): Authentication {
  return {
    async authenticate(authorization) {
      if (authorization === null) return { kind: "anonymous" };
      if (authorization.length > LIMITS.tokenLengthMax + 16) throw badCredential();
      const credential = BEARER.exec(authorization)?.[1];
      if (credential === undefined) throw badCredential();
      if (credential.startsWith("sgn_op_")) return authenticateOperator(deps, credential);
      if (credential.startsWith("sgn_")) return await authenticateKey(deps, keyRing, credential);
      return await authenticateUser(deps, credential);
    },
  };
}

function authenticateOperator(deps: Deps, credential: string): Caller {
  const hash = operatorKeyHash(credential);
  if (!hash || !sameBytes(hash, deps.operatorKeyHash)) throw badCredential();
  return { kind: "operator" };
}

async function authenticateKey(
  deps: Deps,
  keyRing: KeyRing,
  credential: string,
): Promise<SiteKeyCaller> {
  const presented = readSiteSecret("site_key", credential);
  const caller = presented && (await keyRing.find(presented));
  if (!caller) throw badCredential();
  const now = deps.clock.now();
  if (caller.expireTime && caller.expireTime <= now) throw badCredential();
  if (deps.live.isKeyRevoked(caller.siteId, caller.keyId)) throw badCredential();
  return caller;
}

/** The issuer names the Site; a token of ExchangeToken, made for others, is refused. */
async function authenticateUser(deps: Deps, token: string): Promise<Caller> {
  const siteId = siteOfToken(deps.publicUrl, token);
  if (!siteId) throw badCredential();
  const check = await checkToken(deps, siteId, token, issuerOf(deps.publicUrl, siteId)).catch(
    toBadCredential,
  );
  if (!check.valid) throw badCredential();
  const { claims } = check;
  const { userId, sessionId, roles } = claims;
  return { kind: "user", siteId, userId, sessionId, roles, token: claims };
}

/** Reads whose keys to check the token with; nothing else of it is believed yet. */
function siteOfToken(publicUrl: string, token: string): SiteId | undefined {
  try {
    const payload: unknown = JSON.parse(
      Buffer.from(token.split(".")[1] ?? "", "base64url").toString(),
    );
    const { iss } = payload as { readonly iss?: unknown };
    const prefix = issuerOf(publicUrl, "" as SiteId);
    if (typeof iss !== "string" || !iss.startsWith(prefix)) return undefined;
    return parseId<SiteId>(iss.slice(prefix.length), "iss");
  } catch {
    return undefined; // Not a token at all.
  }
}

function toBadCredential(error: unknown): never {
  if (error instanceof Failure && error.reason === "site_not_found") throw badCredential();
  throw error;
}

function badCredential(): Failure {
  return new Failure("credential_invalid");
}
