import { isRevocation, type RevocationNotice } from "../model/change.ts";
import type { ApiKeyId, SessionId, SiteId, UserId } from "../model/id.ts";
import type { LogRow } from "../store/changes.ts";
import { liveRevocations } from "../store/revocations.ts";
import type { Queryable } from "../store/sql.ts";
import { beginTerm, type RevocationTerm, termsOver } from "./revocation-lifetime.ts";

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

interface RaisedGeneration {
  readonly generation: number;
  readonly term: RevocationTerm;
}

/**
 * What has ended of one Site, by its id, and until when that has to be known. Clients choose some
 * ids, so that another Site, or another kind, may have the same.
 */
type EndedOfSite = Readonly<
  Record<Exclude<RevocationNotice["kind"], "generation_raised">, Map<string, RevocationTerm>>
> & { readonly generations: Map<string, RaisedGeneration> };

/**
 * Creates the view of revocations: sets that only grow, in which order does not matter, and
 * from which entries go when no token can outlive them.
 *
 * Start the reader first and load then: what is revoked in between comes by both ways.
 */
export function createLiveState(isFresh: () => boolean): LiveStateFeed {
  const sites = new Map<SiteId, EndedOfSite>();
  let sweptMs = performance.now();

  function endedOf(siteId: SiteId): EndedOfSite {
    const known = sites.get(siteId);
    if (known) return known;
    const ended = {
      session_ended: new Map<string, RevocationTerm>(),
      api_key_revoked: new Map<string, RevocationTerm>(),
      signing_key_withdrawn: new Map<string, RevocationTerm>(),
      site_closed: new Map<string, RevocationTerm>(),
      generations: new Map<string, RaisedGeneration>(),
    };
    sites.set(siteId, ended);
    return ended;
  }

  function note(siteId: SiteId, notice: RevocationNotice): void {
    const term = beginTerm(notice.expireTime);
    const ended = endedOf(siteId);
    if (notice.kind === "generation_raised") {
      const known = ended.generations.get(notice.subjectId);
      if (known && known.generation >= notice.generation) return;
      ended.generations.set(notice.subjectId, { generation: notice.generation, term });
      return;
    }
    ended[notice.kind].set(notice.subjectId, term);
  }

  function sweep(): void {
    const nowMs = performance.now();
    if (nowMs - sweptMs < SWEEP_MS) return;
    sweptMs = nowMs;
    const isOver = termsOver();
    for (const [siteId, { generations, ...others }] of sites) {
      const ended = Object.values(others);
      for (const each of ended) {
        for (const [id, term] of each) if (isOver(term)) each.delete(id);
      }
      for (const [id, { term }] of generations) if (isOver(term)) generations.delete(id);
      if ([...ended, generations].every(({ size }) => size === 0)) sites.delete(siteId);
    }
  }

  return {
    isFresh,
    isTokenRevoked({ siteId, userId, sessionId, generation }) {
      const ended = sites.get(siteId);
      if (ended === undefined) return false;
      if (ended.session_ended.has(sessionId) || ended.site_closed.size > 0) return true;
      return (ended.generations.get(userId)?.generation ?? 0) > generation;
    },
    isKeyRevoked(siteId, keyId) {
      const ended = sites.get(siteId);
      return (
        ended !== undefined && (ended.api_key_revoked.has(keyId) || ended.site_closed.size > 0)
      );
    },
    isSiteClosed: (siteId) => (sites.get(siteId)?.site_closed.size ?? 0) > 0,
    async load(db) {
      for (const { siteId, notice } of await liveRevocations(db)) note(siteId, notice);
    },
    apply(rows) {
      for (const row of rows) {
        if (row.type === "notice" && isRevocation(row.notice)) {
          note(row.siteId, row.notice);
        }
      }
      sweep();
    },
  };
}
