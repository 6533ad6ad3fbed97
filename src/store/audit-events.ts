import type { AuditActorKind, SubjectKind } from "../model/audit.ts";
import type { AuditEventId, SiteId, UserId } from "../model/id.ts";
import { enqueue, hot, type Queryable, sql } from "./sql.ts";

/** Who did what to whom. */
export interface NewAuditEvent {
  readonly id: AuditEventId;
  /** Such as `user.created`: noun and past participle. */
  readonly kind: string;
  readonly actorKind: AuditActorKind;
  /** The id of the key or User; empty where the actor has none. */
  readonly actorId: string;
  readonly subjectKind: SubjectKind;
  readonly subjectId: string | undefined;
  /** Ids and names of fields; never a personal value, since it cannot be erased. */
  readonly details: Readonly<Record<string, string>>;
  /** Clear values of personal fields; they go with an erasure. */
  readonly personal: Readonly<Record<string, string>> | undefined;
  readonly clientIp: string;
  readonly createTime: Date;
}

/** Appends to the audit log of the Site, in the transaction of the act. */
export async function insertAuditEvent(
  db: Queryable,
  siteId: SiteId,
  event: NewAuditEvent,
): Promise<void> {
  const statement = hot`
    insert into signet.audit_events
           (site_id, id, kind, actor_kind, actor_id, subject_kind, subject_id, details, personal,
            client_ip, create_time)
    values (${siteId}, ${event.id}, ${event.kind}, ${event.actorKind}, ${event.actorId},
            ${event.subjectKind}, ${event.subjectId ?? null}, ${event.details},
            ${event.personal ?? null}, ${event.clientIp}, ${event.createTime})`;
  await enqueue(db, statement);
}

/** Appends one event about each of several subjects, all of a kind and without clear values. */
export async function insertAuditEvents(
  db: Queryable,
  siteId: SiteId,
  event: Pick<NewAuditEvent, "kind" | "actorKind" | "actorId" | "subjectKind" | "createTime">,
  about: readonly { readonly id: AuditEventId; readonly subjectId: string }[],
): Promise<void> {
  await db.query(sql`
    insert into signet.audit_events
           (site_id, id, kind, actor_kind, actor_id, subject_kind, subject_id, details,
            client_ip, create_time)
    select ${siteId}, id, ${event.kind}, ${event.actorKind}, ${event.actorId},
           ${event.subjectKind}, subject_id, '{}', '', ${event.createTime}
      from unnest(${about.map(({ id }) => id)}::uuid[],
                  ${about.map(({ subjectId }) => subjectId)}::uuid[]) as given (id, subject_id)`);
}

/**
 * Removes the clear values beside at most `limit` events by or about each User, which the
 * transaction has deleted; {@link chainAuditEvents} removes the rest.
 */
export async function eraseAuditPersonal(
  db: Queryable,
  userIds: readonly UserId[],
  limit: number,
): Promise<void> {
  await db.query(sql`
    select signet.erase_audit_personal(id, ${limit}::bigint)
      from unnest(${userIds}::uuid[]) as deleted (id)`);
}

/**
 * Links at most `limit` committed events of all Sites to the chains of their Sites. More may
 * be left where it returns `limit` or more; -1 while another process does it.
 */
export async function chainAuditEvents(db: Queryable, limit: number): Promise<number> {
  const { rows } = await db.query<{ count: number }>(sql`
    select signet.chain_audit_events(${limit}::bigint) as count`);
  return rows[0]?.count ?? 0;
}
