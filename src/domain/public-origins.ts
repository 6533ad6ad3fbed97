import type { LogRow } from "../store/changes.ts";
import type { Database } from "../store/database.ts";
import { isPublicOrigin } from "../store/sites.ts";

/** The origins whose pages may call some Site. */
export interface PublicOrigins {
  /** Tells whether browsers on pages of an origin may call. */
  has(origin: string): Promise<boolean>;
  /** Forgets what it has found once a Site has changed. */
  apply(rows: readonly LogRow[], epochChanged: boolean): void;
}

/** A net under the log: how long an answer is kept. */
const KEEP_MS = 10_000;
const ORIGINS_MAX = 1_000;
const ORIGIN_LENGTH_MAX = 300;

/** Creates the look-up; what it has found is kept for a while, since each call asks. */
export function createPublicOrigins(db: Pick<Database, "acrossSites">): PublicOrigins {
  const known = new Map<string, { readonly endMs: number; readonly answer: Promise<boolean> }>();
  const across = { query: db.acrossSites };

  return {
    async has(origin) {
      if (origin.length > ORIGIN_LENGTH_MAX) return false;
      const found = known.get(origin);
      if (found && performance.now() < found.endMs) return await found.answer;
      if (known.size >= ORIGINS_MAX) known.clear();
      const answer = isPublicOrigin(across, origin);
      known.set(origin, { endMs: performance.now() + KEEP_MS, answer });
      answer.catch(() => known.delete(origin));
      return await answer;
    },
    apply(rows, epochChanged) {
      if (epochChanged || rows.some(changesSite)) known.clear();
    },
  };
}

function changesSite(row: LogRow): boolean {
  if (row.type !== "notice") return false;
  return row.notice.kind === "site_changed" || row.notice.kind === "site_closed";
}
