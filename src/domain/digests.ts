import type { SiteHead } from "../model/change.ts";
import { Failure } from "../model/failure.ts";
import { idFromBytes, idToBytes, type SiteId, type UserId } from "../model/id.ts";
import { createLeafSums, type LeafRow, type LeafSums } from "../model/leaf-sums.ts";
import { LIMITS } from "../model/limits.ts";
import { listLeafRows, readDigests } from "../store/digests.ts";
import type { Deps } from "./deps.ts";
import { openPageOf, sealPageOf } from "./page-token.ts";
import { currentHead } from "./sync.ts";
import { createTurns } from "./turns.ts";

/** The digests of a Site's Users: every Change up to `position`, and maybe some after it. */
export interface DigestTable {
  readonly epoch: number;
  readonly position: number;
  readonly leaves: LeafSums;
}

/** Makes the tables of a process and keeps them for a little while. */
export interface DigestTables {
  /**
   * Returns the table of a Site at `positionMin` or later.
   *
   * A table costs a scan of the Site's Users. Callers that come during it share it, and the
   * questions of one comparison are answered from the same table.
   *
   * @throws {Failure} `cursor_ahead`; `overloaded` if too many Sites wait for a scan.
   */
  read(siteId: SiteId, positionMin: number): Promise<DigestTable>;
}

/** A page of the rows of some leaves. */
export interface LeafRows {
  readonly head: SiteHead;
  readonly rows: readonly LeafRow[];
  /** Empty: that was the last page. */
  readonly nextPageToken: string;
}

/** Two scans, since the first that is found may have begun too early. One more: a new epoch. */
const ATTEMPTS_MAX = 3;
const OVERLOADED_RETRY_MS = 5_000;
/** Leaves that are read by one statement. */
const LEAVES_AT_ONCE = 128;
const INDEX_BYTES = 4;

/** Creates the tables. */
export function createDigestTables(deps: Deps): DigestTables {
  const turns = createTurns(LIMITS.digestScansMax);
  const scans = new Map<SiteId, Promise<DigestTable>>();
  const tables = new Map<SiteId, DigestTable>();

  function scan(siteId: SiteId): Promise<DigestTable> {
    const running = scans.get(siteId);
    if (running) return running;
    if (scans.size >= LIMITS.digestScansMax + LIMITS.digestScansWaitingMax) {
      throw new Failure("overloaded", {}, { retryDelayMs: OVERLOADED_RETRY_MS });
    }
    const begun = turns.run(() => scanUsers(deps, siteId));
    scans.set(siteId, begun);
    // It goes on when the caller has given up, whose next attempt finds the table.
    begun.then((table) => keep(siteId, table)).catch(() => undefined);
    begun.finally(() => scans.delete(siteId)).catch(() => undefined);
    return begun;
  }

  function keep(siteId: SiteId, table: DigestTable): void {
    tables.delete(siteId);
    tables.set(siteId, table);
    const [oldest] = tables.keys();
    if (oldest && tables.size > LIMITS.digestTablesMax) tables.delete(oldest);
    const forget = () => tables.get(siteId) === table && tables.delete(siteId);
    setTimeout(forget, LIMITS.digestTableAgeMsMax).unref();
  }

  return {
    async read(siteId, positionMin) {
      for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
        const { epoch } = await headFrom(deps, siteId, positionMin);
        const isGood = (table: DigestTable) =>
          table.epoch === epoch && table.position >= positionMin;
        const kept = tables.get(siteId);
        if (kept && isGood(kept)) return kept;
        const table = await scan(siteId);
        if (isGood(table)) return table;
      }
      throw new Failure("unavailable");
    },
  };
}

/**
 * Returns a page of the rows of some leaves, in the order of the leaves and by id within each.
 *
 * @throws {Failure} `cursor_ahead`; `invalid_page_token`.
 */
export async function listRowsOfLeaves(
  deps: Deps,
  siteId: SiteId,
  leaves: readonly number[],
  page: { readonly positionMin: number; readonly limit: number; readonly token: string },
): Promise<LeafRows> {
  const question = { list: "leaf_rows", filter: leaves.join() };
  const place = openPageOf(deps, siteId, question, page.token);
  const begin = place ? openPlace(place) : { index: 0, after: undefined };
  const head = await headFrom(deps, siteId, page.positionMin);
  const found = await readRows(deps, siteId, leaves, { ...begin, limit: page.limit + 1 });
  const rows = found.slice(0, page.limit);
  const last = found.length > page.limit ? rows.at(-1) : undefined;
  if (!last) return { head, rows, nextPageToken: "" };
  const next = sealPlace(last.index, last.id);
  return { head, rows, nextPageToken: sealPageOf(deps, siteId, question, next) };
}

/** The row, and the place of its leaf in the question. */
type FoundRow = LeafRow & { readonly index: number };

interface Place {
  /** The leaf to begin with, by its place in the question. */
  readonly index: number;
  readonly after: UserId | undefined;
}

async function readRows(
  deps: Deps,
  siteId: SiteId,
  leaves: readonly number[],
  { index, after, limit }: Place & { readonly limit: number },
): Promise<FoundRow[]> {
  const found: FoundRow[] = [];
  for (let start = index; start < leaves.length; start += LEAVES_AT_ONCE) {
    const some = leaves.slice(start, start + LEAVES_AT_ONCE);
    const first = start === index ? after : undefined;
    const wanted = { leaves: some, after: first, limit: limit - found.length };
    const rows = await deps.db.inSite(siteId, (tx) => listLeafRows(tx, siteId, wanted), {
      readOnly: true,
    });
    found.push(...rows.map((row) => ({ ...row, index: start + some.indexOf(row.leaf) })));
    if (found.length >= limit) break;
  }
  return found;
}

/** Reads all Users of a Site in short transactions, so that no vacuum is held up. */
async function scanUsers(deps: Deps, siteId: SiteId): Promise<DigestTable> {
  const { epoch, position } = await currentHead(deps, siteId);
  const leaves = createLeafSums();
  const limit = LIMITS.digestChunkUsers;
  for (let after: UserId | undefined; ; ) {
    const page = { limit, ...(after && { after }) };
    const chunk = await deps.db.inSite(siteId, (tx) => readDigests(tx, siteId, page), {
      readOnly: true,
    });
    if (!chunk.last) return { epoch, position, leaves };
    leaves.add(chunk.packed);
    after = chunk.last;
  }
}

async function headFrom(deps: Deps, siteId: SiteId, positionMin: number): Promise<SiteHead> {
  const head = await currentHead(deps, siteId);
  if (positionMin > head.position) throw new Failure("cursor_ahead");
  return head;
}

function sealPlace(index: number, after: UserId): Buffer {
  const bytes = Buffer.alloc(INDEX_BYTES);
  bytes.writeUInt32BE(index);
  return Buffer.concat([bytes, idToBytes(after)]);
}

function openPlace(place: Buffer): Place {
  return {
    index: place.readUInt32BE(),
    after: idFromBytes<UserId>(place.subarray(INDEX_BYTES)),
  };
}
