import type { SiteId } from "../model/id.ts";
import type { JsonObject } from "../model/json.ts";
import { type Queryable, sql } from "./sql.ts";

/** Who did what to whom. */
export interface AuditEvent {
  readonly id: string;
  /** Such as `user.created`: noun and past participle. */
  readonly kind: string;
  readonly actorKind: "anonymous" | "operator" | "site_key" | "user" | "system";
  /** The id of the key or User; empty where the actor has none. */
  readonly actorId: string;
  readonly subjectId: string | undefined;
  /** Ids and names of fields; never a personal value, since it cannot be erased. */
  readonly details: JsonObject;
  /** Clear values of personal fields; they go with an erasure. */
  readonly personal: JsonObject | undefined;
  readonly clientIp: string;
  readonly createTime: Date;
}

/** Appends to the audit log of the Site, in the transaction of the act. */
export async function insertAuditEvent(
  db: Queryable,
  siteId: SiteId,
  event: AuditEvent,
): Promise<void> {
  await db.query(sql`
    insert into signet.audit_events
           (site_id, id, kind, actor_kind, actor_id, subject_id, details, personal, client_ip,
            create_time)
    values (${siteId}, ${event.id}, ${event.kind}, ${event.actorKind}, ${event.actorId},
            ${event.subjectId ?? null}, ${event.details}, ${event.personal ?? null},
            ${event.clientIp}, ${event.createTime})`);
}
