import type { ApiKey, ApiKeyPage } from "../model/api-key.ts";
import type { Scope } from "../model/caller.ts";
import type { ApiKeyId, SiteId } from "../model/id.ts";
import { fragment, type Queryable, sql } from "./sql.ts";

interface ApiKeyRow {
  readonly id: ApiKeyId;
  readonly site_id: SiteId;
  readonly label: string;
  readonly scopes: Scope[];
  readonly user_fields: string[];
  readonly create_time: Date;
  readonly expire_time: Date | null;
  readonly last_use_time: Date | null;
  readonly revoke_time: Date | null;
}

const COLUMNS = fragment`
  id, site_id, label, scopes, user_fields, create_time, expire_time, last_use_time, revoke_time`;

/** Inserts a key with the hash of its secret. Returns false if the id exists already. */
export async function insertApiKey(db: Queryable, key: ApiKey, keyHash: Buffer): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    insert into signet.api_keys
           (site_id, id, key_hash, label, scopes, user_fields, create_time, expire_time)
    values (${key.siteId}, ${key.id}, ${keyHash}, ${key.label}, ${key.scopes},
            ${key.userFields}, ${key.createTime}, ${key.expireTime ?? null})
        on conflict (site_id, id) do nothing`);
  return rowCount === 1;
}

/** Finds a key by its id. */
export async function findApiKey(
  db: Queryable,
  siteId: SiteId,
  id: ApiKeyId,
): Promise<ApiKey | undefined> {
  const { rows } = await db.query<ApiKeyRow>(sql`
    select ${COLUMNS} from signet.api_keys where site_id = ${siteId} and id = ${id}`);
  return rows[0] && toApiKey(rows[0]);
}

/** Finds a key by the hash of its secret, whether it still works or not. */
export async function findApiKeyByHash(
  db: Queryable,
  siteId: SiteId,
  keyHash: Buffer,
): Promise<ApiKey | undefined> {
  const { rows } = await db.query<ApiKeyRow>(sql`
    select ${COLUMNS} from signet.api_keys k
     where site_id = ${siteId} and key_hash = ${keyHash}
       and exists (select from signet.sites s where s.id = k.site_id and s.delete_time is null)`);
  return rows[0] && toApiKey(rows[0]);
}

/** Lists a page of the keys of the Site, the newest first. */
export async function listApiKeys(
  db: Queryable,
  siteId: SiteId,
  page: ApiKeyPage,
): Promise<ApiKey[]> {
  const { rows } = await db.query<ApiKeyRow>(sql`
    select ${COLUMNS} from signet.api_keys
     where site_id = ${siteId}
       and id < coalesce(${page.after ?? null}::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
       and (${page.activeAt ?? null}::timestamptz is null
            or (revoke_time is null
                and coalesce(expire_time, 'infinity') > ${page.activeAt ?? null}))
     order by id desc
     limit ${page.limit}`);
  return rows.map(toApiKey);
}

/**
 * Has a key wait for the end of the transaction before it can be revoked; false if it has been
 * already.
 */
export async function holdApiKey(db: Queryable, siteId: SiteId, id: ApiKeyId): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    select from signet.api_keys
     where site_id = ${siteId} and id = ${id} and revoke_time is null
       for share`);
  return rowCount === 1;
}

/** Revokes all keys of the Site. */
export async function revokeApiKeys(db: Queryable, siteId: SiteId, now: Date): Promise<void> {
  await db.query(sql`
    update signet.api_keys set revoke_time = ${now}
     where site_id = ${siteId} and revoke_time is null`);
}

/** Revokes a key; returns it, or undefined if there is none that still works. */
export async function revokeApiKey(
  db: Queryable,
  siteId: SiteId,
  id: ApiKeyId,
  now: Date,
): Promise<ApiKey | undefined> {
  const { rows } = await db.query<ApiKeyRow>(sql`
    update signet.api_keys set revoke_time = ${now}
     where site_id = ${siteId} and id = ${id} and revoke_time is null
    returning ${COLUMNS}`);
  return rows[0] && toApiKey(rows[0]);
}

/** The use of a key. */
export interface KeyUse {
  readonly siteId: SiteId;
  readonly keyId: ApiKeyId;
}

/** Notes that keys of any Sites were used, to the minute. Needs no Site. */
export async function noteKeyUses(
  db: Queryable,
  uses: readonly KeyUse[],
  now: Date,
): Promise<void> {
  const siteIds = uses.map(({ siteId }) => siteId);
  const keyIds = uses.map(({ keyId }) => keyId);
  await db.query(sql`
    select signet.note_key_uses(${siteIds}::uuid[], ${keyIds}::uuid[], ${now})`);
}

function toApiKey(row: ApiKeyRow): ApiKey {
  return {
    id: row.id,
    siteId: row.site_id,
    label: row.label,
    scopes: row.scopes,
    userFields: row.user_fields,
    createTime: row.create_time,
    expireTime: row.expire_time ?? undefined,
    lastUseTime: row.last_use_time ?? undefined,
    revokeTime: row.revoke_time ?? undefined,
  };
}
