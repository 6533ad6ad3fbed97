import type { EmailAddress } from "../model/email-address.ts";
import type { SiteId, UserId } from "../model/id.ts";
import type { OneTimePurpose } from "../model/one-time.ts";
import { enqueue, hot, type Queryable } from "./sql.ts";

/** A one-time token as it is stored. */
export interface OneTimeToken {
  readonly tokenHash: Buffer;
  readonly userId: UserId;
  readonly purpose: OneTimePurpose;
  /** The address that it was sent to: holding it proves this address and no other. */
  readonly email: EmailAddress;
  /** Where the person is sent on to afterwards; empty: the Site's front end. */
  readonly redirectUrl: string;
  readonly expireTime: Date;
}

/** Inserts a one-time token. */
export async function insertOneTimeToken(
  db: Queryable,
  siteId: SiteId,
  token: OneTimeToken,
  now: Date,
): Promise<void> {
  const statement = hot`
    insert into signet.one_time_tokens
           (site_id, token_hash, user_id, purpose, email, redirect_url, create_time, expire_time)
    values (${siteId}, ${token.tokenHash}, ${token.userId}, ${token.purpose}, ${token.email},
            ${token.redirectUrl}, ${now}, ${token.expireTime})`;
  await enqueue(db, statement);
}

/**
 * Finds whom a one-time token belongs to, so that the User can be locked before it is used; one
 * of a purpose, or of any.
 */
export async function findOneTimeToken(
  db: Queryable,
  siteId: SiteId,
  tokenHash: Buffer,
  purpose: OneTimePurpose | undefined,
  now: Date,
): Promise<Omit<OneTimeToken, "tokenHash"> | undefined> {
  const { rows } = await db.query<Omit<OneTimeToken, "tokenHash">>(hot`
    select user_id as "userId", purpose, email, redirect_url as "redirectUrl",
           expire_time as "expireTime"
      from signet.one_time_tokens
     where site_id = ${siteId} and token_hash = ${tokenHash}
       and (${purpose ?? null}::text is null or purpose = ${purpose ?? null})
       and use_time is null and expire_time > ${now}`);
  return rows[0];
}

/** Uses a one-time token; of any number of callers at once, one is told true. */
export async function consumeOneTimeToken(
  db: Queryable,
  siteId: SiteId,
  tokenHash: Buffer,
  purpose: OneTimePurpose,
  now: Date,
): Promise<boolean> {
  const { rowCount } = await db.query(hot`
    update signet.one_time_tokens set use_time = ${now}
     where site_id = ${siteId} and token_hash = ${tokenHash} and purpose = ${purpose}
       and use_time is null and expire_time > ${now}`);
  return rowCount === 1;
}

/** Removes the one-time tokens of a User, all or those of one purpose. */
export async function deleteOneTimeTokens(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
  purpose?: OneTimePurpose,
): Promise<void> {
  const statement = hot`
    delete from signet.one_time_tokens
     where site_id = ${siteId} and user_id = ${userId}
       and (${purpose ?? null}::text is null or purpose = ${purpose ?? null})`;
  await enqueue(db, statement);
}
