import type { SessionId, SiteId, UserId } from "../model/id.ts";
import { enqueue, hot, type Queryable, sql } from "./sql.ts";

/**
 * Lets one transaction at a time take an admin from a Site, until it ends: the next one sees what
 * it has left. A lock of its own, and not one on the rows of the other admins, which two
 * transactions that each hold their own would wait for in a circle.
 */
export async function lockAdmins(db: Queryable, siteId: SiteId): Promise<void> {
  const statement = hot`
    select pg_advisory_xact_lock(hashtextextended('signet admins ' || ${siteId}::text, 0))`;
  await enqueue(db, statement);
}

/** Tells whether the Site has an active admin besides a User. */
export async function hasOtherActiveAdmin(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>(sql`
    select exists (
      select from signet.users
       where site_id = ${siteId} and state = 'active' and 'admin' = any(roles)
         and id <> ${userId}) as found`);
  return rows[0]?.found === true;
}

/** What an access token says of an admin. */
export interface AdminToken {
  readonly userId: UserId;
  readonly sessionId: SessionId;
  readonly generation: number;
}

/** Tells whether an access token is an active admin's still, as the database has it now. */
export async function isAdminNow(
  db: Queryable,
  siteId: SiteId,
  { userId, sessionId, generation }: AdminToken,
): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>(hot`
    select exists (
      select from signet.users u
        join signet.credentials c on c.site_id = u.site_id and c.user_id = u.id
        join signet.sessions s on s.site_id = u.site_id and s.user_id = u.id
       where u.site_id = ${siteId} and u.id = ${userId} and u.state = 'active'
         and 'admin' = any(u.roles) and c.generation = ${generation}
         and s.id = ${sessionId} and s.end_time is null) as found`);
  return rows[0]?.found === true;
}
