import type { AuditActorKind, AuditEntry, AuditFilter } from "../model/audit.ts";
import type { AuditEventId, SiteId } from "../model/id.ts";
import { fragment, type Queryable, sql } from "./sql.ts";

interface EntryRow {
  readonly id: AuditEventId;
  readonly kind: string;
  readonly create_time: Date;
  readonly actor_kind: AuditActorKind;
  readonly actor_id: string;
  readonly subject_kind: string;
  readonly subject_id: string | null;
  readonly details: Readonly<Record<string, string>>;
  readonly personal: Readonly<Record<string, string>> | null;
  readonly client_ip: string;
  readonly salt: Buffer | null;
  readonly sequence: number | null;
  readonly record: Buffer | null;
  readonly previous_hash: Buffer | null;
  readonly hash: Buffer | null;
}

const COLUMNS = fragment`
  e.id, e.kind, e.create_time, e.actor_kind, e.actor_id, e.subject_kind, e.subject_id,
  (select coalesce(jsonb_object_agg(d.key, d.value), '{}')
     from jsonb_each_text(e.details) as d) as details,
  e.personal, e.client_ip, e.salt, l.sequence, l.record, l.previous_hash, l.hash`;

/**
 * Lists the linked events of the Site with the `limit` numbers from `from` on. There are fewer of
 * them at the end of the chain, and where somebody has removed some.
 */
export async function listChain(
  db: Queryable,
  siteId: SiteId,
  { from, limit }: { readonly from: number; readonly limit: number },
): Promise<AuditEntry[]> {
  // A range with two ends is read from the index, whatever is known of the table's size.
  const { rows } = await db.query<EntryRow>(sql`
    select ${COLUMNS}
      from signet.audit_links l
      join signet.audit_events e on e.site_id = l.site_id and e.id = l.event_id
     where l.site_id = ${siteId} and l.sequence >= ${from} and l.sequence < ${from + limit}
     order by l.sequence`);
  return rows.map((row) => toEntry(siteId, row));
}

/** Tells whether the Site's chain has a link of this number or a later one. */
export async function hasLinksFrom(
  db: Queryable,
  siteId: SiteId,
  sequence: number,
): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>(sql`
    select coalesce(max(sequence), 0) >= ${sequence} as found
      from signet.audit_links
     where site_id = ${siteId}`);
  return rows[0]?.found === true;
}

/** Lists at most `limit` events of the Site that a filter lets through, in the order of time. */
export async function listEvents(
  db: Queryable,
  siteId: SiteId,
  filter: AuditFilter,
  page: {
    readonly after: AuditEventId | undefined;
    readonly oldestFirst: boolean;
    readonly limit: number;
  },
): Promise<AuditEntry[]> {
  const order = page.oldestFirst ? fragment`id` : fragment`id desc`;
  const later = page.oldestFirst ? fragment`>` : fragment`<`;
  // Each kind is read by itself, in order, from the index on kinds.
  const ofKind = filter.kinds.length > 0 ? fragment`e.kind = wanted.kind` : fragment`true`;
  const { rows } = await db.query<EntryRow>(sql`
    select ${COLUMNS}
      from (
        select one_kind.id
          from unnest(${filter.kinds.length > 0 ? filter.kinds : [""]}::text[]) as wanted (kind)
         cross join lateral (
           select e.id
             from signet.audit_events e
            where e.site_id = ${siteId}
              and ${ofKind}
              and (${page.after ?? null}::uuid is null or e.id ${later} ${page.after ?? null})
              and (${filter.actorId ?? null}::text is null
                   or (e.actor_id = ${filter.actorId ?? null} and e.actor_id <> ''))
              and (${filter.subjectId ?? null}::uuid is null
                   or e.subject_id = ${filter.subjectId ?? null})
              and (${boundOf(filter.timeFrom)}::uuid is null
                   or e.id >= ${boundOf(filter.timeFrom)})
              and (${boundOf(filter.timeUntil)}::uuid is null
                   or e.id < ${boundOf(filter.timeUntil)})
            order by ${order}
            limit ${page.limit}) as one_kind
         order by ${order}
         limit ${page.limit}) as found
      join signet.audit_events e on e.site_id = ${siteId} and e.id = found.id
      left join signet.audit_links l on l.site_id = ${siteId} and l.event_id = e.id
     order by e.${order}`);
  return rows.map((row) => toEntry(siteId, row));
}

/** The least id that an event of this millisecond can have: ids begin with their time. */
function boundOf(time: Date | undefined): string | null {
  if (!time) return null;
  const ms = Math.min(Math.max(time.getTime(), 0), 2 ** 48 - 1);
  const hex = ms.toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

function toEntry(siteId: SiteId, row: EntryRow): AuditEntry {
  const { sequence, record, previous_hash: previousHash, hash } = row;
  const isLinked = sequence !== null && record && previousHash && hash;
  const personal = {
    ...row.personal,
    ...(row.client_ip !== "" && { client_ip: row.client_ip }),
  };
  const salt = Object.keys(personal).length > 0 ? row.salt : undefined;
  return {
    id: row.id,
    siteId,
    kind: row.kind,
    time: row.create_time,
    actor: { kind: row.actor_kind, id: row.actor_id },
    subject: { kind: row.subject_kind, id: row.subject_id ?? "" },
    facts: row.details,
    personal,
    link: isLinked
      ? { sequence, record, previousHash, hash, salt: salt ?? new Uint8Array() }
      : undefined,
  };
}
