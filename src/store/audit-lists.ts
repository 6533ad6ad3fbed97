import type { AuditActorKind, AuditEntry, AuditFilter } from "../model/audit.ts";
import type { AuditEventId, SiteId } from "../model/id.ts";
import { type Fragment, fragment, indexed, type Queryable } from "./sql.ts";

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

const EVENT_COLUMNS = fragment`
  id, kind, create_time, actor_kind, actor_id, subject_kind, subject_id, details, personal,
  client_ip, salt`;

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
  const { rows } = await db.query<EntryRow>(indexed`
    select ${COLUMNS}
      from signet.audit_links l
     cross join lateral (
       select ${EVENT_COLUMNS} from signet.audit_events
        where site_id = ${siteId} and id = l.event_id limit 1) e
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
  const { rows } = await db.query<{ found: boolean }>(indexed`
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
  page: EventPage,
): Promise<AuditEntry[]> {
  const order = page.oldestFirst ? fragment`id` : fragment`id desc`;
  const pageOf = (ofKind: Fragment) => fragment`
    select id
      from signet.audit_events
     where site_id = ${siteId}
       and ${ofKind}
       and ${passes(filter)}
       and ${boundsOf(filter, page)}
     order by ${order}
     limit ${page.limit}`;
  // Each kind is read by itself, in order, from the index on kinds.
  const found =
    filter.kinds.length === 0
      ? pageOf(fragment`true`)
      : fragment`
        select one_kind.id
          from unnest(${filter.kinds}::text[]) as wanted (kind)
         cross join lateral (${pageOf(fragment`kind = wanted.kind`)}) as one_kind
         order by one_kind.${order}
         limit ${page.limit}`;
  const { rows } = await db.query<EntryRow>(indexed`
    select ${COLUMNS}
      from (${found}) as found
     cross join lateral (
       select ${EVENT_COLUMNS} from signet.audit_events
        where site_id = ${siteId} and id = found.id limit 1) e
      left join lateral (
       select sequence, record, previous_hash, hash from signet.audit_links
        where site_id = ${siteId} and event_id = found.id limit 1) l on true
     order by found.${order}`);
  return rows.map((row) => toEntry(siteId, row));
}

interface EventPage {
  readonly after: AuditEventId | undefined;
  readonly oldestFirst: boolean;
  readonly limit: number;
}

/** What a filter asks of an event besides its kind and its time. */
function passes({ actorId, subjectId }: AuditFilter): Fragment {
  const byActor =
    actorId === undefined ? fragment`true` : fragment`(actor_id = ${actorId} and actor_id <> '')`;
  return subjectId === undefined ? byActor : fragment`${byActor} and subject_id = ${subjectId}`;
}

/** Where the log is entered, and where it is left. */
function boundsOf(
  { timeFrom, timeUntil }: AuditFilter,
  { after, oldestFirst }: EventPage,
): Fragment {
  const isLater = oldestFirst ? fragment`id >` : fragment`id <`;
  return fragment`
    ${after ? fragment`${isLater} ${after}` : fragment`true`}
    and ${timeFrom ? fragment`id >= ${boundOf(timeFrom)}` : fragment`true`}
    and ${timeUntil ? fragment`id < ${boundOf(timeUntil)}` : fragment`true`}`;
}

/** The least id that an event of this millisecond can have: ids begin with their time. */
function boundOf(time: Date): string {
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
