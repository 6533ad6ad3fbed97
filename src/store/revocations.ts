import type { Notice } from "../model/change.ts";
import type { SiteId } from "../model/id.ts";
import { appendNotice } from "./changes.ts";
import { type Queryable, sql } from "./sql.ts";

/** The notices that end something before its expiry. */
export type RevocationNotice = Extract<Notice, { readonly expireTime: Date }>;

/** A revocation that still matters. */
export interface Revocation {
  readonly siteId: SiteId;
  readonly notice: RevocationNotice;
}

interface RevocationRow {
  readonly site_id: SiteId;
  readonly kind: RevocationNotice["kind"];
  readonly subject_id: string;
  readonly generation: number;
  readonly expire_time: Date;
}

/** Records that something has ended, for those who start later, and tells those who listen. */
export async function insertRevocation(
  db: Queryable,
  siteId: SiteId,
  notice: RevocationNotice,
  now: Date,
): Promise<void> {
  const generation = "generation" in notice ? notice.generation : 0;
  await db.query(sql`
    insert into signet.revocations as r
           (site_id, kind, subject_id, generation, create_time, expire_time)
    values (${siteId}, ${notice.kind}, ${notice.subjectId}, ${generation}, ${now},
            ${notice.expireTime})
        on conflict (site_id, kind, subject_id) do update
       set generation  = greatest(r.generation, excluded.generation),
           expire_time = greatest(r.expire_time, excluded.expire_time)`);
  await appendNotice(db, siteId, notice, now);
}

/** Returns the revocations of all Sites that still matter. */
export async function liveRevocations(db: Queryable): Promise<Revocation[]> {
  const { rows } = await db.query<RevocationRow>(sql`
    select site_id, kind, subject_id, generation, expire_time from signet.live_revocations()`);
  return rows.map((row) => ({
    siteId: row.site_id,
    notice: {
      kind: row.kind,
      subjectId: row.subject_id,
      generation: row.generation,
      expireTime: row.expire_time,
    } as RevocationNotice, // Written by insertRevocation alone.
  }));
}
