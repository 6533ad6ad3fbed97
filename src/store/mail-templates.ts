import type { SiteId } from "../model/id.ts";
import type { MailKind, MailTemplate, StoredMailTemplate } from "../model/mail-template.ts";
import { type Queryable, sql } from "./sql.ts";

/** Sets a template; the last of the same kind and language stays. */
export async function saveMailTemplate(
  db: Queryable,
  siteId: SiteId,
  { mail, locale, subject, opening, button, closing }: MailTemplate,
  now: Date,
): Promise<void> {
  await db.query(sql`
    insert into signet.mail_templates
           (site_id, mail, locale, subject, opening, button, closing, update_time)
    values (${siteId}, ${mail}, ${locale}, ${subject}, ${opening}, ${button}, ${closing}, ${now})
        on conflict (site_id, mail, locale) do update
       set subject = excluded.subject, opening = excluded.opening, button = excluded.button,
           closing = excluded.closing, update_time = excluded.update_time`);
}

/** Returns the templates of a Site for one kind of mail, or for all, by kind and language. */
export async function listMailTemplates(
  db: Queryable,
  siteId: SiteId,
  mail: MailKind | undefined,
): Promise<StoredMailTemplate[]> {
  const { rows } = await db.query<StoredMailTemplate>(sql`
    select mail, locale, subject, opening, button, closing, update_time as "updateTime"
      from signet.mail_templates
     where site_id = ${siteId} and (${mail ?? null}::text is null or mail = ${mail ?? null})
     order by mail, locale`);
  return rows;
}

/** Removes a template; returns false if there was none. */
export async function deleteMailTemplate(
  db: Queryable,
  siteId: SiteId,
  { mail, locale }: Pick<MailTemplate, "mail" | "locale">,
): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    delete from signet.mail_templates
     where site_id = ${siteId} and mail = ${mail} and locale = ${locale}`);
  return rowCount === 1;
}

/** Makes the calls that set templates of a Site wait for each other, so that a limit holds. */
export async function lockMailTemplates(db: Queryable, siteId: SiteId): Promise<void> {
  await db.query(sql`
    select pg_advisory_xact_lock(hashtextextended('signet mails ' || ${siteId}::text, 0))`);
}
