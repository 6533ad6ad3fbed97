import type { SiteId } from "../model/id.ts";
import { type Queryable, sql } from "./sql.ts";

/** Counts a mail to an address, and returns how many it got in the present window. */
export async function countMail(
  db: Queryable,
  siteId: SiteId,
  addressDigest: Buffer,
  { now, windowEnd }: { readonly now: Date; readonly windowEnd: Date },
): Promise<number> {
  const { rows } = await db.query<{ mails: number }>(sql`
    insert into signet.mail_counts as c (site_id, address_digest, window_end, mails)
    values (${siteId}, ${addressDigest}, ${windowEnd}, 1)
        on conflict (site_id, address_digest) do update
       set mails      = case when c.window_end <= ${now} then 1 else c.mails + 1 end,
           window_end = case when c.window_end <= ${now} then excluded.window_end
                             else c.window_end end
    returning mails`);
  return rows[0]?.mails ?? 1;
}
