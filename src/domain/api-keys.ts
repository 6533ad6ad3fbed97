import { mintSiteSecret } from "../crypto/site-secret.ts";
import type { ApiKey } from "../model/api-key.ts";
import type { Caller, Scope } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import { type ApiKeyId, newId, type SiteId } from "../model/id.ts";
import type { Secret } from "../model/secret.ts";
import {
  findApiKey,
  insertApiKey,
  listApiKeys as listStoredKeys,
  revokeApiKey as revokeStoredKey,
} from "../store/api-keys.ts";
import { insertRevocation } from "../store/revocations.ts";
import { findSite } from "../store/sites.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { REVOCATION_MS } from "./revocation-lifetime.ts";
import { write } from "./write.ts";

/** What a new key is for. */
export interface NewApiKey {
  readonly id: ApiKeyId | undefined;
  readonly label: string;
  readonly scopes: readonly Scope[];
  readonly userFields: readonly string[];
  readonly expireTime: Date | undefined;
}

/**
 * Creates a site key. The secret is in this answer and nowhere else; a repeat with the same id
 * answers with the key alone.
 *
 * @throws {Failure} `site_not_found`; `id_taken`; `access_denied` where a caller would give
 *   more than it has.
 */
export async function createApiKey(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  wanted: NewApiKey,
): Promise<{ readonly key: ApiKey; readonly secret: Secret | undefined }> {
  checkGrant(caller, wanted);
  const now = deps.clock.now();
  const minted = mintSiteSecret("site_key", siteId);
  const key: ApiKey = {
    ...wanted,
    id: wanted.id ?? newId<ApiKeyId>(now),
    siteId,
    createTime: now,
    lastUseTime: undefined,
    revokeTime: undefined,
  };
  return await write(deps, siteId, async (tx) => {
    if (!(await findSite(tx, siteId))) throw new Failure("site_not_found");
    if (await insertApiKey(tx, key, minted.hash)) {
      const act = { kind: "api_key.created", subjectId: key.id, details: { scopes: key.scopes } };
      await recordAct(tx, siteId, caller, act, now);
      return { key, secret: minted.text };
    }
    const known = await findApiKey(tx, siteId, key.id);
    if (!known || known.label !== key.label) throw new Failure("id_taken");
    return { key: known, secret: undefined };
  });
}

/** Lists at most `limit` keys of the Site, the newest first. */
export async function listApiKeys(
  deps: Deps,
  siteId: SiteId,
  page: { readonly after: ApiKeyId | undefined; readonly limit: number },
): Promise<ApiKey[]> {
  return await deps.db.inSite(siteId, (tx) => listStoredKeys(tx, siteId, page), { readOnly: true });
}

/** Revokes a key, within a second on every process. @throws {Failure} `api_key_not_found` */
export async function revokeApiKey(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  id: ApiKeyId,
): Promise<ApiKey> {
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const revoked = await revokeStoredKey(tx, siteId, id, now);
    if (revoked) {
      const expireTime = new Date(now.getTime() + REVOCATION_MS);
      const notice = { kind: "api_key_revoked", subjectId: id, expireTime } as const;
      await insertRevocation(tx, siteId, notice, now);
      await recordAct(tx, siteId, caller, { kind: "api_key.revoked", subjectId: id }, now);
    }
    const key = revoked ?? (await findApiKey(tx, siteId, id));
    if (!key) throw new Failure("api_key_not_found");
    return key;
  });
}

/** A key gives at most what it has itself; an admin gives nothing that takes in tokens. */
function checkGrant(caller: Caller, wanted: NewApiKey): void {
  if (caller.kind === "operator") return;
  const within =
    caller.kind === "site_key"
      ? wanted.scopes.every((scope) => caller.scopes.includes(scope)) &&
        isWithin(wanted.userFields, caller.userFields) &&
        endsBy(wanted.expireTime, caller.expireTime)
      : !wanted.scopes.includes("auth.tokens") && !wanted.scopes.includes("peer");
  if (!within) throw new Failure("access_denied");
}

/** An empty projection is the widest. */
function isWithin(fields: readonly string[], own: readonly string[]): boolean {
  if (own.length === 0) return true;
  return fields.length > 0 && fields.every((field) => own.includes(field));
}

function endsBy(wanted: Date | undefined, own: Date | undefined): boolean {
  return own === undefined || (wanted !== undefined && wanted <= own);
}
