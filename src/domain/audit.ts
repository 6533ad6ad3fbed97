import type { Caller } from "../model/caller.ts";
import { newId, type SiteId } from "../model/id.ts";
import type { JsonObject } from "../model/json.ts";
import { insertAuditEvent } from "../store/audit-events.ts";
import type { Queryable } from "../store/sql.ts";

/** What happened, in the words of the audit log. */
export interface Act {
  /** Noun and past participle, such as `user.created`. */
  readonly kind: string;
  readonly subjectId?: string;
  /** Ids and names of fields, never a personal value. */
  readonly details?: JsonObject;
  readonly clientIp?: string;
}

/** Who acts: a caller, or Signet by itself. */
export type Actor = Caller | { readonly kind: "system" };

/** Writes an act into the audit log of the Site, in the transaction of the act. */
export async function recordAct(
  tx: Queryable,
  siteId: SiteId,
  actor: Actor,
  act: Act,
  now: Date,
): Promise<void> {
  await insertAuditEvent(tx, siteId, {
    id: newId(now),
    kind: act.kind,
    actorKind: actor.kind,
    actorId: actorId(actor),
    subjectId: act.subjectId,
    details: act.details ?? {},
    personal: undefined,
    clientIp: act.clientIp ?? "",
    createTime: now,
  });
}

function actorId(actor: Actor): string {
  switch (actor.kind) {
    case "site_key":
      return actor.keyId;
    case "user":
      return actor.userId;
    case "operator":
    case "anonymous":
    case "system":
      return "";
  }
}
