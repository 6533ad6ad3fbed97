import type { EmailAddress } from "../model/email-address.ts";
import type { EmailChangeId, SiteId, UserId } from "../model/id.ts";
import { hot, indexed, type Queryable, sql } from "./sql.ts";

/** A change of address that was asked for. */
export interface EmailChange {
  readonly id: EmailChangeId;
  readonly userId: UserId;
  /** Absent: the User had none. */
  readonly oldEmail: EmailAddress | undefined;
  readonly newEmail: EmailAddress;
  readonly redirectUrl: string;
}

/** Notes a change of address that waits for its confirmation. */
export async function insertEmailChange(
  db: Queryable,
  siteId: SiteId,
  change: EmailChange,
  now: Date,
): Promise<void> {
  await db.query(sql`
    insert into signet.email_changes
           (site_id, id, user_id, old_email, new_email, redirect_url, create_time)
    values (${siteId}, ${change.id}, ${change.userId}, ${change.oldEmail ?? null},
            ${change.newEmail}, ${change.redirectUrl}, ${now})`);
}

/** Forgets the change of address of a User that waits for its confirmation. */
export async function deletePendingEmailChange(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
): Promise<void> {
  await db.query(indexed`
    delete from signet.email_changes
     where site_id = ${siteId} and user_id = ${userId} and confirm_time is null`);
}

/** Finds a change of address, confirmed or not. */
export async function findEmailChange(
  db: Queryable,
  siteId: SiteId,
  id: EmailChangeId,
): Promise<(EmailChange & { readonly confirmed: boolean }) | undefined> {
  const { rows } = await db.query<EmailChange & { readonly confirmed: boolean }>(hot`
    select id, user_id as "userId", old_email as "oldEmail", new_email as "newEmail",
           redirect_url as "redirectUrl", confirm_time is not null as confirmed
      from signet.email_changes
     where site_id = ${siteId} and id = ${id}`);
  return rows[0];
}

/** Finds the change of address of a User that waits for its confirmation. */
export async function findPendingEmailChange(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
): Promise<EmailChange | undefined> {
  const { rows } = await db.query<EmailChange>(indexed`
    select id, user_id as "userId", old_email as "oldEmail", new_email as "newEmail",
           redirect_url as "redirectUrl"
      from signet.email_changes
     where site_id = ${siteId} and user_id = ${userId} and confirm_time is null`);
  return rows[0];
}

/** Notes that a change of address was confirmed; the notice to the old one still needs it. */
export async function confirmEmailChange(
  db: Queryable,
  siteId: SiteId,
  id: EmailChangeId,
  now: Date,
): Promise<void> {
  await db.query(hot`
    update signet.email_changes set confirm_time = ${now}
     where site_id = ${siteId} and id = ${id}`);
}
