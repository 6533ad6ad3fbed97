import type { webcrypto } from "node:crypto";
import type { SigningKeyId, SiteId } from "../model/id.ts";
import type { SigningKeyFacts } from "../model/signing-key.ts";
import { fragment, type Queryable, sql } from "./sql.ts";

/** A signing key with both halves, the private one sealed. */
export interface StoredSigningKey extends SigningKeyFacts {
  readonly publicJwk: webcrypto.JsonWebKey;
  readonly privateSealed: Buffer;
}

const COLUMNS = fragment`
  id, algorithm, public_jwk as "publicJwk", private_sealed as "privateSealed", state,
  create_time as "createTime", activate_time as "activateTime", switch_time as "switchTime",
  retire_time as "retireTime"`;

/** Inserts a signing key. */
export async function insertSigningKey(
  db: Queryable,
  siteId: SiteId,
  key: StoredSigningKey,
): Promise<void> {
  await db.query(sql`
    insert into signet.signing_keys
           (site_id, id, algorithm, public_jwk, private_sealed, state, create_time,
            activate_time)
    values (${siteId}, ${key.id}, ${key.algorithm}, ${key.publicJwk}, ${key.privateSealed},
            ${key.state}, ${key.createTime}, ${key.activateTime ?? null})`);
}

/** Lists the keys that a Site publishes, the newest first. */
export async function listSigningKeys(db: Queryable, siteId: SiteId): Promise<StoredSigningKey[]> {
  const { rows } = await db.query<StoredSigningKey>(sql`
    select ${COLUMNS} from signet.signing_keys
     where site_id = ${siteId} and state <> 'withdrawn'
     order by id desc`);
  return rows.map(toKey);
}

/** Lists the keys of a Site that may still matter, and locks them. */
export async function lockSigningKeys(db: Queryable, siteId: SiteId): Promise<StoredSigningKey[]> {
  const { rows } = await db.query<StoredSigningKey>(sql`
    select ${COLUMNS} from signet.signing_keys
     where site_id = ${siteId} and state <> 'withdrawn'
     order by id desc
       for update`);
  return rows.map(toKey);
}

/** Has a key sign no more; its tokens are good until it leaves the JWKS. */
export async function retireSigningKey(
  db: Queryable,
  siteId: SiteId,
  id: SigningKeyId,
  retireTime: Date,
): Promise<void> {
  await db.query(sql`
    update signet.signing_keys set state = 'previous', retire_time = ${retireTime}
     where site_id = ${siteId} and id = ${id}`);
}

/** Has a key sign from now on. */
export async function activateSigningKey(
  db: Queryable,
  siteId: SiteId,
  id: SigningKeyId,
  now: Date,
): Promise<void> {
  await db.query(sql`
    update signet.signing_keys
       set state = 'current', activate_time = ${now}, switch_time = null
     where site_id = ${siteId} and id = ${id}`);
}

/** Notes when the next key is to take over. */
export async function scheduleSigningKey(
  db: Queryable,
  siteId: SiteId,
  id: SigningKeyId,
  switchTime: Date,
): Promise<void> {
  await db.query(sql`
    update signet.signing_keys set switch_time = ${switchTime}
     where site_id = ${siteId} and id = ${id}`);
}

/** Withdraws a key: its tokens are refused from now on. */
export async function withdrawSigningKey(
  db: Queryable,
  siteId: SiteId,
  id: SigningKeyId,
  now: Date,
): Promise<void> {
  await db.query(sql`
    update signet.signing_keys set state = 'withdrawn', withdraw_time = ${now}
     where site_id = ${siteId} and id = ${id}`);
}

/** Removes a key that has signed nothing. */
export async function deleteSigningKey(
  db: Queryable,
  siteId: SiteId,
  id: SigningKeyId,
): Promise<void> {
  await db.query(sql`
    delete from signet.signing_keys where site_id = ${siteId} and id = ${id}`);
}

/** Removes all keys of a Site, whose tokens nobody takes any more. */
export async function deleteSigningKeys(db: Queryable, siteId: SiteId): Promise<void> {
  await db.query(sql`delete from signet.signing_keys where site_id = ${siteId}`);
}

/** Removes the previous keys that no token needs any more; returns how many there were. */
export async function deleteRetiredKeys(db: Queryable, siteId: SiteId, now: Date): Promise<number> {
  const { rowCount } = await db.query(sql`
    delete from signet.signing_keys
     where site_id = ${siteId} and state = 'previous' and retire_time <= ${now}`);
  return rowCount ?? 0;
}

/** Lists Sites, over all, whose keys want attention. */
export async function listSitesWithDueKeys(
  db: Queryable,
  { activatedBefore, limit }: { readonly activatedBefore: Date; readonly limit: number },
): Promise<SiteId[]> {
  const { rows } = await db.query<{ id: SiteId }>(sql`
    select id from signet.sites_with_due_keys(${activatedBefore}, ${limit}) as id`);
  return rows.map(({ id }) => id);
}

/** PostgreSQL says null of what is absent. */
function toKey(row: StoredSigningKey): StoredSigningKey {
  return {
    ...row,
    activateTime: row.activateTime ?? undefined,
    switchTime: row.switchTime ?? undefined,
    retireTime: row.retireTime ?? undefined,
  };
}
