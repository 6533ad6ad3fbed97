import type { webcrypto } from "node:crypto";
import type { SigningKeyId, SiteId } from "../model/id.ts";
import type { SigningAlgorithm } from "../model/site.ts";
import { type Queryable, sql } from "./sql.ts";

/** Published before it signs, kept past the longest token that it has signed. */
export type SigningKeyState = "next" | "current" | "previous";

/** A key that signs a Site's access tokens, its private half sealed. */
export interface StoredSigningKey {
  readonly id: SigningKeyId;
  readonly algorithm: SigningAlgorithm;
  readonly publicJwk: webcrypto.JsonWebKey;
  readonly privateSealed: Buffer;
  readonly state: SigningKeyState;
}

/** Inserts a signing key. */
export async function insertSigningKey(
  db: Queryable,
  siteId: SiteId,
  key: StoredSigningKey,
  now: Date,
): Promise<void> {
  await db.query(sql`
    insert into signet.signing_keys
           (site_id, id, algorithm, public_jwk, private_sealed, state, create_time)
    values (${siteId}, ${key.id}, ${key.algorithm}, ${key.publicJwk}, ${key.privateSealed},
            ${key.state}, ${now})`);
}

/** Lists the keys that a Site publishes, the newest first. */
export async function listSigningKeys(db: Queryable, siteId: SiteId): Promise<StoredSigningKey[]> {
  const { rows } = await db.query<StoredSigningKey>(sql`
    select id, algorithm, public_jwk as "publicJwk", private_sealed as "privateSealed", state
      from signet.signing_keys
     where site_id = ${siteId} and state <> 'withdrawn'
     order by id desc`);
  return rows;
}
