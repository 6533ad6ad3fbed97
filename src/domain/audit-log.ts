import type { AuditEntry, AuditFilter } from "../model/audit.ts";
import type { Caller } from "../model/caller.ts";
import { Failure, invalidField } from "../model/failure.ts";
import { type AuditEventId, idFromBytes, idToBytes, type SiteId } from "../model/id.ts";
import { hasLinksFrom, listChain, listEvents } from "../store/audit-lists.ts";
import { hasBeenSite } from "../store/site-deletion.ts";
import type { Queryable } from "../store/sql.ts";
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
 * Requires that a Site has a log that the caller may read: an operator also reads that of a Site
 * that is deleted, which tells by whom.
 *
 * @throws {Failure} `site_not_found`
 */
export async function requireLogOf(deps: Deps, caller: Caller, siteId: SiteId): Promise<void> {
  if (caller.kind !== "operator") {
    await deps.sites.get(siteId);
    return;
  }
  const exists = await deps.db.inSite(siteId, (tx) => hasBeenSite(tx, siteId), { readOnly: true });
  if (!exists) throw new Failure("site_not_found");
}

/**
 * Lists at most `limit` events of a Site, or with `NO_SITE` of those that concern none. What was
 * committed before the first page was asked for is in the chain when it is read.
 *
 * @throws {Failure} `invalid_page_token`, `invalid_field` for `sequence_from`.
 */
export async function listAuditEvents(
  deps: Deps,
  siteId: SiteId,
  asked: AuditQuestion,
  page: { readonly token: string; readonly limit: number },
): Promise<AuditPage> {
  const isChain = asked.oldestFirst && isUnconditional(asked.filter);
  if (asked.sequenceFrom > 0 && !isChain) {
    throw invalidField("sequence_from", "wants oldest_first and no further condition");
  }
  const question = { list: "audit_events", filter: JSON.stringify(asked) };
  const place = openPageOf(deps, siteId, question, page.token);
  if (!place) await chainNow(deps.db);
  const { limit } = page;
  const { entries, end } = await deps.db.inSite(
    siteId,
    (tx) =>
      isChain
        ? chainPage(tx, siteId, { from: fromOf(place, asked), limit })
        : eventPage(tx, siteId, asked, { after: afterOf(place), limit }),
    { readOnly: true },
  );
  return { entries, nextPageToken: end ? sealPageOf(deps, siteId, question, end) : "" };
}

function isUnconditional(filter: AuditFilter): boolean {
  const { actorId, subjectId, kinds, timeFrom, timeUntil } = filter;
  return !actorId && !subjectId && kinds.length === 0 && !timeFrom && !timeUntil;
}

/** What a page holds, and the place where it ends; absent: it is the last. */
interface Stretch {
  readonly entries: readonly AuditEntry[];
  readonly end: Uint8Array | undefined;
}

/** A page may be empty where events were removed: whoever checks the chain sees the next one. */
async function chainPage(
  tx: Queryable,
  siteId: SiteId,
  { from, limit }: { readonly from: number; readonly limit: number },
): Promise<Stretch> {
  const entries = await listChain(tx, siteId, { from, limit });
  const next = from + limit;
  return {
    entries,
    end: (await hasLinksFrom(tx, siteId, next)) ? sequenceToBytes(next) : undefined,
  };
}

async function eventPage(
  tx: Queryable,
  siteId: SiteId,
  { filter, oldestFirst }: AuditQuestion,
  { after, limit }: { readonly after: AuditEventId | undefined; readonly limit: number },
): Promise<Stretch> {
  const entries = await listEvents(tx, siteId, filter, { after, oldestFirst, limit });
  const last = entries.length === limit ? entries.at(-1) : undefined;
  return { entries, end: last && idToBytes(last.id) };
}

function fromOf(place: Buffer | undefined, { sequenceFrom }: AuditQuestion): number {
  return place ? Number(place.readBigUInt64BE()) : Math.max(sequenceFrom, 1);
}

function afterOf(place: Buffer | undefined): AuditEventId | undefined {
  return place && idFromBytes<AuditEventId>(place);
}

function sequenceToBytes(sequence: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(sequence));
  return bytes;
}
