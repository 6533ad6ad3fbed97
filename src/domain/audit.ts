import { subjectKindOf } from "../model/audit.ts";
import type { Caller } from "../model/caller.ts";
import { type AuditEventId, newId, type SiteId } from "../model/id.ts";
import type { JsonObject, JsonValue } from "../model/json.ts";
import { insertAuditEvent, insertAuditEvents } from "../store/audit-events.ts";
import type { Queryable } from "../store/sql.ts";

/** What happened, in the words of the audit log. */
export interface Act {
  /** Noun and past participle, such as `user.created`; docs/guides/audit.md lists them. */
  readonly kind: string;
  readonly subjectId?: string;
  /** Ids and names of fields, never a personal value. */
  readonly details?: JsonObject;
  /** Values that tell of a person, and go when the User is deleted. */
  readonly personal?: Readonly<Record<string, string>>;
  readonly clientIp?: string;
}

/** Who acts: a caller, Signet by itself, or a Peer by what it says. */
export type Actor =
  | Caller
  | { readonly kind: "system" }
  | { readonly kind: "peer"; readonly name: string };

/** Writes an act into the audit log of the Site, in the transaction of the act. */
export async function recordAct(
  tx: Queryable,
  siteId: SiteId,
  actor: Actor,
  act: Act,
  now: Date,
): Promise<void> {
  await insertAuditEvent(tx, siteId, {
    id: newId<AuditEventId>(now),
    kind: act.kind,
    actorKind: actor.kind,
    actorId: actorId(actor),
    subjectKind: subjectKindOf(act.kind),
    subjectId: act.subjectId,
    details: toTexts(act.details ?? {}),
    personal: act.personal,
    clientIp: act.clientIp ?? "",
    createTime: now,
  });
}

/** Writes the same kind of act on several objects. */
export async function recordActs(
  tx: Queryable,
  siteId: SiteId,
  actor: Actor,
  { kind, subjectIds }: { readonly kind: string; readonly subjectIds: readonly string[] },
  now: Date,
): Promise<void> {
  const event = {
    kind,
    actorKind: actor.kind,
    actorId: actorId(actor),
    subjectKind: subjectKindOf(kind),
    createTime: now,
  };
  const about = subjectIds.map((subjectId) => ({ id: newId<AuditEventId>(now), subjectId }));
  await insertAuditEvents(tx, siteId, event, about);
}

function actorId(actor: Actor): string {
  switch (actor.kind) {
    case "site_key":
      return actor.keyId;
    case "user":
      return actor.userId;
    case "operator":
      return actor.keyId ?? "";
    case "peer":
      return actor.name;
    case "anonymous":
    case "system":
      return "";
  }
}

/** Facts are texts, on the wire and in the bytes that the chain covers. */
function toTexts(details: JsonObject): Record<string, string> {
  return Object.fromEntries(Object.entries(details).map(([name, value]) => [name, toText(value)]));
}

function toText(value: JsonValue): string {
  if (typeof value === "string") return value;
  return Array.isArray(value) ? value.map(toText).join(", ") : JSON.stringify(value);
}
