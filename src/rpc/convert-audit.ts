import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { AuditActorKind } from "../../gen/signet/v1/user_service_pb.ts";
import type { AuditEntry, AuditLink, AuditActorKind as KindOfActor } from "../model/audit.ts";
import { NO_SITE } from "../model/id.ts";

/** As the numbers in `signet.audit_record`, which writes the same into the chain. */
const ACTOR_KINDS: Record<KindOfActor, AuditActorKind> = {
  anonymous: AuditActorKind.ANONYMOUS,
  user: AuditActorKind.USER,
  site_key: AuditActorKind.SITE_KEY,
  operator: AuditActorKind.OPERATOR_KEY,
  system: AuditActorKind.SIGNET,
  peer: AuditActorKind.PEER,
};

/** Translates an event of the audit log into the fields of its message. */
export function toAuditEventMessage(entry: AuditEntry) {
  return {
    id: entry.id,
    siteId: entry.siteId === NO_SITE ? "" : entry.siteId,
    kind: entry.kind,
    time: timestampFromDate(entry.time),
    actor: { kind: ACTOR_KINDS[entry.actor.kind], id: entry.actor.id },
    subject: entry.subject,
    facts: entry.facts,
    personal: entry.personal,
    ...(entry.link && { link: toLinkMessage(entry.link) }),
  };
}

function toLinkMessage({ sequence, record, previousHash, hash, salt }: AuditLink) {
  return {
    sequence: BigInt(sequence),
    record: Uint8Array.from(record),
    previousHash: Uint8Array.from(previousHash),
    hash: Uint8Array.from(hash),
    salt: Uint8Array.from(salt),
  };
}
