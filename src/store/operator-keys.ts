import type { ApiKeyPage, OperatorKey } from "../model/api-key.ts";
import type { ApiKeyId } from "../model/id.ts";
import { fragment, type Queryable, sql } from "./sql.ts";

interface OperatorKeyRow {
  readonly id: ApiKeyId;
  readonly label: string;
  readonly create_time: Date;
  readonly expire_time: Date | null;
  readonly last_use_time: Date | null;
  readonly revoke_time: Date | null;
}

const COLUMNS = fragment`id, label, create_time, expire_time, last_use_time, revoke_time`;

/** Inserts a key with the hash of its secret. Returns false if the id exists already. */
export async function insertOperatorKey(
  db: Queryable,
  key: OperatorKey,
  keyHash: Buffer,
): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    insert into signet.operator_keys (id, key_hash, label, create_time, expire_time)
    values (${key.id}, ${keyHash}, ${key.label}, ${key.createTime}, ${key.expireTime ?? null})
        on conflict (id) do nothing`);
  return rowCount === 1;
}

/** Finds a key by its id. */
export async function findOperatorKey(
  db: Queryable,
  id: ApiKeyId,
): Promise<OperatorKey | undefined> {
  const { rows } = await db.query<OperatorKeyRow>(sql`
    select ${COLUMNS} from signet.operator_keys where id = ${id}`);
  return rows[0] && toOperatorKey(rows[0]);
}

/** Finds a key by the hash of its secret, whether it still works or not. */
export async function findOperatorKeyByHash(
  db: Queryable,
  keyHash: Buffer,
): Promise<OperatorKey | undefined> {
  const { rows } = await db.query<OperatorKeyRow>(sql`
    select ${COLUMNS} from signet.operator_keys where key_hash = ${keyHash}`);
  return rows[0] && toOperatorKey(rows[0]);
}

/** Lists a page of the keys, the newest first. */
export async function listOperatorKeys(db: Queryable, page: ApiKeyPage): Promise<OperatorKey[]> {
  const { rows } = await db.query<OperatorKeyRow>(sql`
    select ${COLUMNS} from signet.operator_keys
     where id < coalesce(${page.after ?? null}::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
       and (${page.activeAt ?? null}::timestamptz is null
            or (revoke_time is null
                and coalesce(expire_time, 'infinity') > ${page.activeAt ?? null}))
     order by id desc
     limit ${page.limit}`);
  return rows.map(toOperatorKey);
}

/**
 * Has a key wait for the end of the transaction before it can be revoked; false if it has been
 * already.
 */
export async function holdOperatorKey(db: Queryable, id: ApiKeyId): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    select from signet.operator_keys where id = ${id} and revoke_time is null for share`);
  return rowCount === 1;
}

/** Revokes a key; returns it, or undefined if there is none that still works. */
export async function revokeOperatorKey(
  db: Queryable,
  id: ApiKeyId,
  now: Date,
): Promise<OperatorKey | undefined> {
  const { rows } = await db.query<OperatorKeyRow>(sql`
    update signet.operator_keys set revoke_time = ${now}
     where id = ${id} and revoke_time is null
    returning ${COLUMNS}`);
  return rows[0] && toOperatorKey(rows[0]);
}

/** Notes that keys were used, to the minute. */
export async function noteOperatorKeyUses(
  db: Queryable,
  ids: readonly ApiKeyId[],
  now: Date,
): Promise<void> {
  await db.query(sql`
    update signet.operator_keys set last_use_time = date_trunc('minute', ${now}::timestamptz)
     where id = any(${ids}::uuid[])
       and (last_use_time is null or last_use_time < date_trunc('minute', ${now}::timestamptz))`);
}

function toOperatorKey(row: OperatorKeyRow): OperatorKey {
  return {
    id: row.id,
    label: row.label,
    createTime: row.create_time,
    expireTime: row.expire_time ?? undefined,
    lastUseTime: row.last_use_time ?? undefined,
    revokeTime: row.revoke_time ?? undefined,
  };
}
