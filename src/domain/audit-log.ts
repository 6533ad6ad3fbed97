import type { AuditEntry, AuditFilter } from "../model/audit.ts";
import { Failure, invalidField } from "../model/failure.ts";
import { type AuditEventId, idFromBytes, idToBytes, type SiteId } from "../model/id.ts";
import { listChain, listEvents } from "../store/audit-lists.ts";
import { chainNow } from "./audit-chain.ts";
import type { Deps } from "./deps.ts";
import { openPageOf, sealPageOf } from "./page-token.ts";

/** Which events of a Site are asked for, and in which order. */
export interface AuditQuestion {
  readonly filter: AuditFilter;
  readonly oldestFirst: boolean;
  /** The first number of the chain; 0: from the beginning. */
  readonly sequenceFrom: number;
}

/** A page of the list. */
export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  /** Empty: this is the last. */
  readonly nextPageToken: string;
}

/**
 * Lists at most `limit` events. What was committed before the first page was asked for is in the
 * chain when it is read.
 *
 * @throws {Failure} `invalid_page_token`, `invalid_field` for `sequence_from`.
 */
export async function listAuditEvents(
  deps: Deps,
  siteId: SiteId,
  asked: AuditQuestion,
  page: { readonly token: string; readonly limit: number },
): Promise<AuditPage> {
  await deps.sites.get(siteId);
  const isChain = asked.oldestFirst && isUnconditional(asked.filter);
  if (asked.sequenceFrom > 0 && !isChain) {
    throw invalidField("sequence_from", "wants oldest_first and no further condition");
  }
  const question = { list: "audit_events", filter: JSON.stringify(asked) };
  const place = openPageOf(deps, siteId, question, page.token);
  if (!place) await chainNow(deps.db);
  const entries = await deps.db.inSite(
    siteId,
    (tx) =>
      isChain
        ? listChain(tx, siteId, { from: fromOf(place, asked), limit: page.limit })
        : listEvents(tx, siteId, asked.filter, { ...asked, ...page, after: afterOf(place) }),
    { readOnly: true },
  );
  const last = entries.length === page.limit ? entries.at(-1) : undefined;
  const nextPageToken = last
    ? sealPageOf(deps, siteId, question, isChain ? sequenceBytes(last) : idToBytes(last.id))
    : "";
  return { entries, nextPageToken };
}

function isUnconditional(filter: AuditFilter): boolean {
  const { actorId, subjectId, kinds, timeFrom, timeUntil } = filter;
  return !actorId && !subjectId && kinds.length === 0 && !timeFrom && !timeUntil;
}

function fromOf(place: Buffer | undefined, { sequenceFrom }: AuditQuestion): number {
  return place ? Number(place.readBigUInt64BE()) + 1 : sequenceFrom;
}

function afterOf(place: Buffer | undefined): AuditEventId | undefined {
  return place && idFromBytes<AuditEventId>(place);
}

function sequenceBytes({ link }: AuditEntry): Buffer {
  if (!link) throw new Failure("invalid_page_token");
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(link.sequence));
  return bytes;
}
