import type { SiteId, UserId } from "../model/id.ts";
import { type Queryable, sql } from "./sql.ts";

/** The authenticator of a User, confirmed or still to be. */
export interface TotpFactor {
  readonly secretSealed: Buffer;
  /** The last step that was accepted; 0: none. */
  readonly lastStep: number;
  readonly expireTime: Date;
  readonly confirmed: boolean;
}

/** Puts an authenticator that is to be confirmed in place of an earlier one. */
export async function replaceTotpFactor(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
  factor: Pick<TotpFactor, "secretSealed" | "expireTime">,
  now: Date,
): Promise<void> {
  await db.query(sql`
    insert into signet.totp_factors (site_id, user_id, secret_sealed, create_time, expire_time)
    values (${siteId}, ${userId}, ${factor.secretSealed}, ${now}, ${factor.expireTime})
        on conflict (site_id, user_id) do update
       set secret_sealed = excluded.secret_sealed, last_step = 0,
           create_time = excluded.create_time, expire_time = excluded.expire_time,
           confirm_time = null`);
}

/** Finds the authenticator of a User. */
export async function findTotpFactor(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
): Promise<TotpFactor | undefined> {
  const { rows } = await db.query<TotpFactor>(sql`
    select secret_sealed as "secretSealed", last_step as "lastStep",
           expire_time as "expireTime", confirm_time is not null as confirmed
      from signet.totp_factors
     where site_id = ${siteId} and user_id = ${userId}`);
  return rows[0];
}

/** Accepts a step; of any number of callers at once, one is told true. */
export async function acceptTotpStep(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
  step: number,
): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    update signet.totp_factors set last_step = ${step}
     where site_id = ${siteId} and user_id = ${userId} and last_step < ${step}`);
  return rowCount === 1;
}

/** Marks the authenticator of a User as confirmed. */
export async function confirmTotpFactor(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
  now: Date,
): Promise<void> {
  await db.query(sql`
    update signet.totp_factors set confirm_time = ${now}
     where site_id = ${siteId} and user_id = ${userId}`);
}

/** Puts new recovery codes in place of all earlier ones. */
export async function replaceRecoveryCodes(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
  hashes: readonly Buffer[],
): Promise<void> {
  await db.query(sql`
    delete from signet.recovery_codes where site_id = ${siteId} and user_id = ${userId}`);
  await db.query(sql`
    insert into signet.recovery_codes (site_id, user_id, code_hash)
    select ${siteId}, ${userId}, unnest(${hashes}::bytea[])`);
}

/** Uses a recovery code; of any number of callers at once, one is told true. */
export async function consumeRecoveryCode(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
  hash: Buffer,
  now: Date,
): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    update signet.recovery_codes set use_time = ${now}
     where site_id = ${siteId} and user_id = ${userId} and code_hash = ${hash}
       and use_time is null`);
  return rowCount === 1;
}

/** Returns how many recovery codes of a User are left. */
export async function countRecoveryCodes(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
): Promise<number> {
  const { rows } = await db.query<{ left: number }>(sql`
    select count(*)::integer as left from signet.recovery_codes
     where site_id = ${siteId} and user_id = ${userId} and use_time is null`);
  return rows[0]?.left ?? 0;
}

/** Removes the second factor of a User, with its recovery codes. */
export async function deleteSecondFactor(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
): Promise<void> {
  await db.query(sql`
    delete from signet.totp_factors where site_id = ${siteId} and user_id = ${userId}`);
  await db.query(sql`
    delete from signet.recovery_codes where site_id = ${siteId} and user_id = ${userId}`);
}
