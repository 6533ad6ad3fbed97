import { isRevocation, type RevocationNotice } from "../model/change.ts";
import type { ApiKeyId, SessionId, SiteId, UserId } from "../model/id.ts";
import type { LogRow } from "../store/changes.ts";
import { liveRevocations } from "../store/revocations.ts";
import type { Queryable } from "../store/sql.ts";

/** What this process knows of Sessions, generations, keys and Sites that have ended. */
export interface LiveState {
  /** Whether what it knows is less than a second old; if not, ask the database. */
  isFresh(): boolean;
  isTokenRevoked(token: {
    readonly siteId: SiteId;
    readonly userId: UserId;
    readonly sessionId: SessionId;
    readonly generation: number;
  }): boolean;
  isKeyRevoked(siteId: SiteId, keyId: ApiKeyId): boolean;
  isSiteClosed(siteId: SiteId): boolean;
}

/** A {@link LiveState} and what feeds it. */
export interface LiveStateFeed extends LiveState {
  /** Loads what was revoked before this process began to read the log. */
  load(db: Queryable): Promise<void>;
  apply(rows: readonly LogRow[]): void;
}

const SWEEP_MS = 60_000;

/**
 * Creates the view of revocations: sets that only grow, in which order does not matter, and
 * from which entries go when no token can outlive them.
 *
 * Start the reader first and load then: what is revoked in between comes by both ways.
 */
export function createLiveState(isFresh: () => boolean): LiveStateFeed {
  const ended = new Map<string, number>();
  const generations = new Map<string, { readonly generation: number; readonly untilMs: number }>();
  let sweptMs = 0;

  function note(siteId: SiteId, notice: RevocationNotice): void {
    const untilMs = notice.expireTime.getTime();
    const key = subjectKey(siteId, notice.kind, notice.subjectId);
    if (notice.kind === "generation_raised") {
      const known = generations.get(key);
      if (known && known.generation >= notice.generation) return;
      generations.set(key, { generation: notice.generation, untilMs });
      return;
    }
    ended.set(key, untilMs);
  }

  function sweep(nowMs: number): void {
    if (nowMs - sweptMs < SWEEP_MS) return;
    sweptMs = nowMs;
    for (const [key, untilMs] of ended) if (untilMs < nowMs) ended.delete(key);
    for (const [id, { untilMs }] of generations) if (untilMs < nowMs) generations.delete(id);
  }

  const generationOf = (siteId: SiteId, userId: UserId) =>
    generations.get(subjectKey(siteId, "generation_raised", userId))?.generation ?? 0;
  const isSiteClosed = (siteId: SiteId) => ended.has(subjectKey(siteId, "site_closed", siteId));

  return {
    isFresh,
    isTokenRevoked: ({ siteId, userId, sessionId, generation }) =>
      ended.has(subjectKey(siteId, "session_ended", sessionId)) ||
      isSiteClosed(siteId) ||
      generationOf(siteId, userId) > generation,
    isKeyRevoked: (siteId, keyId) =>
      ended.has(subjectKey(siteId, "api_key_revoked", keyId)) || isSiteClosed(siteId),
    isSiteClosed,
    async load(db) {
      for (const { siteId, notice } of await liveRevocations(db)) note(siteId, notice);
    },
    apply(rows) {
      for (const row of rows) {
        if (row.type === "notice" && isRevocation(row.notice)) {
          note(row.siteId, row.notice);
        }
      }
      sweep(Date.now());
    },
  };
}

/** Clients choose some ids, so that another Site, or another kind, may have the same. */
function subjectKey(siteId: SiteId, kind: RevocationNotice["kind"], subject: string): string {
  return `${siteId}/${kind}/${subject}`;
}
