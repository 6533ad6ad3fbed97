import { operatorKeyHash, type PresentedSecret, readSiteSecret } from "../crypto/site-secret.ts";
import type { Caller, OperatorCaller, SiteKeyCaller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import { NO_SITE, parseId, type SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { sameBytes } from "../model/secret.ts";
import { issuerOf } from "../model/site.ts";
import type { Deps } from "./deps.ts";
import type { KeyRing } from "./key-ring.ts";
import { checkToken } from "./tokens.ts";

/** Finds out who calls, from the credential alone. */
export interface Authentication {
  /**
   * Returns the caller, at once where this process knows all it takes; without a credential, an
   * anonymous one.
   *
   * @throws {Failure} `credential_invalid`, which does not tell what is wrong with it, unless the
   *   header holds none: whoever sends it sees that, too.
   */
  authenticate(authorization: string | null): Caller | Promise<Caller>;
}

const BEARER = /^Bearer ([\x21-\x7e]+)$/i; // RFC 6750 §2.1.

/** Creates the check of credentials: operator key, site key or access token. */
export function createAuthentication(deps: Deps, keyRing: KeyRing): Authentication {
  const keys = createKeyMemory();
  const siteOfToken = createSiteReader(deps.publicUrl);
  return {
    authenticate(authorization) {
      if (authorization === null) return { kind: "anonymous" };
      const seen = keys.get(authorization);
      if (seen) return authenticateKey(deps, keyRing, seen);
      if (authorization.length > LIMITS.tokenLengthMax + 16) throw badCredential();
      const credential = BEARER.exec(authorization)?.[1];
      if (credential === undefined) throw noCredential("must be `Bearer <key or access token>`");
      if (credential.startsWith("sgn_op_")) {
        return authenticateOperator(deps, keyRing, credential);
      }
      if (credential.startsWith("sgn_")) {
        const presented = readSiteSecret("site_key", credential);
        if (presented) keys.put(authorization, presented);
        return authenticateKey(deps, keyRing, presented);
      }
      return authenticateUser(deps, siteOfToken(credential), credential);
    },
  };
}

/** The key of the environment needs no database, and cannot be revoked. */
async function authenticateOperator(
  deps: Deps,
  keyRing: KeyRing,
  credential: string,
): Promise<OperatorCaller> {
  const hash = operatorKeyHash(credential);
  if (hash && sameBytes(hash, deps.operatorKeyHash)) return { kind: "operator" };
  const caller = hash && (await keyRing.findOperator(hash));
  if (!caller?.keyId || isOver(caller.expireTime, deps)) throw badCredential();
  if (deps.live.isKeyRevoked(NO_SITE, caller.keyId)) throw badCredential();
  return caller;
}

function authenticateKey(
  deps: Deps,
  keyRing: KeyRing,
  presented: PresentedSecret | undefined,
): SiteKeyCaller | Promise<SiteKeyCaller> {
  const found = presented && keyRing.find(presented);
  if (found instanceof Promise) return found.then((caller) => requireLive(deps, caller));
  return requireLive(deps, found);
}

function requireLive(deps: Deps, caller: SiteKeyCaller | undefined): SiteKeyCaller {
  if (!caller) throw badCredential();
  if (isOver(caller.expireTime, deps)) throw badCredential();
  if (deps.live.isKeyRevoked(caller.siteId, caller.keyId)) throw badCredential();
  return caller;
}

function isOver(expireTime: Date | undefined, { clock }: Deps): boolean {
  return expireTime !== undefined && expireTime <= clock.now();
}

/** Refuses a header that is missing, or holds no credential: the caller sees that, too. */
export function noCredential(problem: string): Failure {
  return new Failure("credential_invalid", { field: "authorization", problem });
}

/** Keys whose hash is remembered: the busiest backends have few. About 1 MB. */
const KEYS_READ_MAX = 2_000;

/** Creates a memory of headers with site keys, none of which is read and hashed twice. */
function createKeyMemory() {
  const read = new Map<string, PresentedSecret>();
  return {
    get: (authorization: string) => read.get(authorization),
    put(authorization: string, presented: PresentedSecret): void {
      if (read.size >= KEYS_READ_MAX) read.clear();
      read.set(authorization, presented);
    },
  };
}

/** The issuer names the Site; a token of ExchangeToken, made for others, is refused. */
async function authenticateUser(
  deps: Deps,
  siteId: SiteId | undefined,
  token: string,
): Promise<Caller> {
  if (!siteId) throw badCredential();
  const check = await checkToken(deps, siteId, token, issuerOf(deps.publicUrl, siteId)).catch(
    toBadCredential,
  );
  if (!check.valid) throw badCredential();
  const { claims } = check;
  const { userId, sessionId, roles } = claims;
  return { kind: "user", siteId, userId, sessionId, roles, token: claims };
}

/** Tokens of which is remembered whose they say to be: at most some 8 MB. */
const TOKENS_READ_MAX = 2_000;

/**
 * Creates what reads whose keys to check a token with; nothing else of it is believed yet. It does
 * not take a token apart twice that it has read lately.
 */
export function createSiteReader(publicUrl: string): (token: string) => SiteId | undefined {
  const read = new Map<string, SiteId>();
  return (token) => {
    const known = read.get(token);
    if (known) return known;
    const siteId = siteOfToken(publicUrl, token);
    if (read.size >= TOKENS_READ_MAX) read.clear();
    if (siteId && token.length <= LIMITS.tokenLengthMax) read.set(token, siteId);
    return siteId;
  };
}

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
