import type { RevocationKey, RevocationNotice, SiteRevocation } from "../model/change.ts";
import type { SiteId, UserId } from "../model/id.ts";
import { appendNotice } from "./changes.ts";
import { enqueue, hot, indexed, type Queryable, sql } from "./sql.ts";

/** A revocation that still matters, of any Site. */
export interface Revocation {
  readonly siteId: SiteId;
  readonly notice: RevocationNotice;
}

interface NoticeRow {
  readonly kind: RevocationNotice["kind"];
  readonly subject_id: string;
  readonly generation: number;
  readonly expire_time: Date;
}

interface PublishedRow extends NoticeRow {
  readonly create_time: Date;
  readonly user_id: UserId | null;
}

/** Records that something has ended, for those who start later, and tells those who listen. */
export async function insertRevocation(
  db: Queryable,
  siteId: SiteId,
  notice: RevocationNotice,
  now: Date,
): Promise<void> {
  const generation = "generation" in notice ? notice.generation : 0;
  const userId = "userId" in notice ? notice.userId : undefined;
  const statement = hot`
    insert into signet.revocations as r
           (site_id, kind, subject_id, user_id, generation, create_time, expire_time)
    values (${siteId}, ${notice.kind}, ${notice.subjectId}, ${userId}, ${generation}, ${now},
            ${notice.expireTime})
        on conflict (site_id, kind, subject_id) do update
       set generation  = greatest(r.generation, excluded.generation),
           expire_time = greatest(r.expire_time, excluded.expire_time)`;
  await enqueue(db, statement);
  await appendNotice(db, siteId, notice, now);
}

/** Returns the revocations of all Sites that still matter. */
export async function liveRevocations(db: Queryable): Promise<Revocation[]> {
  const { rows } = await db.query<NoticeRow & { readonly site_id: SiteId }>(sql`
    select site_id, kind, subject_id, generation, expire_time from signet.live_revocations()`);
  return rows.map((row) => ({ siteId: row.site_id, notice: toNotice(row) }));
}

/**
 * Lists at most `limit` revocations of the Site that still matter by the clock of this process or
 * of the database, in the order of their keys.
 * What is added before the page is not seen: follow the log from before the first page on.
 */
export async function listRevocations(
  db: Queryable,
  siteId: SiteId,
  page: { readonly after: RevocationKey | undefined; readonly limit: number; readonly now: Date },
): Promise<SiteRevocation[]> {
  const { after, limit, now } = page;
  const { rows } = await db.query<PublishedRow>(indexed`
    select kind, subject_id, user_id, generation, create_time, expire_time
      from signet.revocations
     where site_id = ${siteId} and expire_time > least(${now}, now())
       and (kind, subject_id) > (${after?.kind ?? ""}, ${after?.subjectId ?? NO_ID}::uuid)
     order by kind, subject_id
     limit ${limit}`);
  return rows.map((row) => ({
    notice: toNotice(row, row.user_id ?? undefined),
    revokeTime: row.create_time,
  }));
}

const NO_ID = "00000000-0000-0000-0000-000000000000";

function toNotice(row: NoticeRow, userId?: UserId): RevocationNotice {
  return {
    kind: row.kind,
    subjectId: row.subject_id,
    generation: row.generation,
    expireTime: row.expire_time,
    ...(row.kind === "session_ended" && { userId }),
  } as RevocationNotice; // Written by insertRevocation alone.
}
