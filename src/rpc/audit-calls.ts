import type { ServiceImpl } from "@connectrpc/connect";
import type { ListAuditEventsRequest, UserService } from "../../gen/signet/v1/user_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import { type AuditQuestion, listAuditEvents, requireLogOf } from "../domain/audit-log.ts";
import type { Deps } from "../domain/deps.ts";
import { requireOperator } from "../domain/operator-keys.ts";
import type { Caller } from "../model/caller.ts";
import { invalidField } from "../model/failure.ts";
import { NO_SITE, parseOptionalId, type SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { callerOf } from "./authorize.ts";
import { toAuditEventMessage } from "./convert-audit.ts";
import { pageLimit } from "./pagination.ts";
import { parseTime } from "./parse-time.ts";

/** The call that reads the audit log. */
export function auditCalls(deps: Deps) {
  return {
    async listAuditEvents(request, { values }) {
      const siteId = await logAskedFor(deps, callerOf(values), request);
      const limit = pageLimit(request.pageSize);
      const page = { token: request.pageToken, limit };
      const found = await listAuditEvents(deps, siteId, parseQuestion(request), page);
      const events = found.entries.map(toAuditEventMessage);
      return { events, nextPageToken: found.nextPageToken };
    },
  } satisfies Partial<ServiceImpl<typeof UserService>>;
}

/** What concerns no Site is for operators alone. */
async function logAskedFor(
  deps: Deps,
  caller: Caller,
  { withoutSite, siteId: named }: ListAuditEventsRequest,
): Promise<SiteId> {
  if (withoutSite) {
    requireOperator(caller);
    if (named !== "") throw invalidField("site_id", "must be empty with without_site");
    return NO_SITE;
  }
  const siteId = siteOf(caller, named);
  await requireLogOf(deps, caller, siteId);
  return siteId;
}

function parseQuestion(request: ListAuditEventsRequest): AuditQuestion {
  return {
    filter: {
      actorId: parseOptionalId(request.actorId, "actor_id"),
      subjectId: parseOptionalId(request.subjectId, "subject_id"),
      kinds: parseKinds(request.kinds),
      timeFrom: request.timeFrom && parseTime(request.timeFrom, "time_from"),
      timeUntil: request.timeUntil && parseTime(request.timeUntil, "time_until"),
    },
    oldestFirst: request.oldestFirst,
    sequenceFrom: parseSequence(request.sequenceFrom),
  };
}

const KIND = /^[a-z_]+\.[a-z_]+$/;

function parseKinds(kinds: readonly string[]): string[] {
  if (kinds.length > LIMITS.auditKindsMax) {
    throw invalidField("kinds", `must be at most ${LIMITS.auditKindsMax}`);
  }
  const isWrong = kinds.some((kind) => kind.length > LIMITS.nameLengthMax || !KIND.test(kind));
  if (isWrong) throw invalidField("kinds", "must be kinds such as user.created");
  return [...new Set(kinds)];
}

function parseSequence(sequence: bigint): number {
  if (sequence >= 0n && sequence <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(sequence);
  throw invalidField("sequence_from", "must not be negative");
}
