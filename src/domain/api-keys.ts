import { mintSiteSecret } from "../crypto/site-secret.ts";
import type { ApiKey, ApiKeyPage } from "../model/api-key.ts";
import type { Caller } from "../model/caller.ts";
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
import {
  checkGrant,
  type Grant,
  requireEndToCome,
  requireKeyNow,
  requireRecentAdmin,
} from "./key-grants.ts";
import { REVOCATION_MS } from "./revocation-lifetime.ts";
import { write } from "./write.ts";

/** What a new key is for. */
export interface NewApiKey extends Grant {
  readonly id: ApiKeyId | undefined;
  readonly label: string;
}

/** A key, and its secret where it was made just now. */
export interface CreatedKey<Key> {
  readonly key: Key;
  readonly secret: Secret | undefined;
}

/**
 * Creates a site key. The secret is in this answer and nowhere else; a repeat with the same id
 * answers with the key alone.
 *
 * @throws {Failure} `site_not_found`; `id_taken`; `access_denied` where a caller would give
 *   more than it has; `recent_login_required` for an admin; `credential_invalid`;
 *   `invalid_field` for an end that has been.
 */
export async function createApiKey(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  wanted: NewApiKey,
): Promise<CreatedKey<ApiKey>> {
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
    const site = await findSite(tx, siteId);
    if (!site) throw new Failure("site_not_found");
    await requireRecentAdmin(tx, site, caller, now);
    await requireKeyNow(tx, caller);
    if (await insertApiKey(tx, key, minted.hash)) {
      requireEndToCome(key, now);
      const act = { kind: "api_key.created", subjectId: key.id, details: { scopes: key.scopes } };
      await recordAct(tx, siteId, caller, act, now);
      return { key, secret: minted.text };
    }
    const known = await findApiKey(tx, siteId, key.id);
    if (!known || known.label !== key.label) throw new Failure("id_taken");
    return { key: known, secret: undefined };
  });
}

/** Lists a page of the keys of the Site, the newest first. @throws {Failure} `site_not_found` */
export async function listApiKeys(deps: Deps, siteId: SiteId, page: ApiKeyPage): Promise<ApiKey[]> {
  await deps.sites.get(siteId);
  return await deps.db.inSite(siteId, (tx) => listStoredKeys(tx, siteId, page), { readOnly: true });
}

/**
 * Revokes a key, within a second on every process. To revoke twice is no error.
 *
 * @throws {Failure} `site_not_found`, `api_key_not_found`; `recent_login_required` for an admin;
 *   `credential_invalid`.
 */
export async function revokeApiKey(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  id: ApiKeyId,
): Promise<ApiKey> {
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const site = await findSite(tx, siteId);
    if (!site) throw new Failure("site_not_found");
    await requireRecentAdmin(tx, site, caller, now);
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
