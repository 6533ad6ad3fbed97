import type { ReaderStep } from "../domain/change-reader.ts";
import type { UserChange } from "../model/change.ts";
import type { SiteId, UserId } from "../model/id.ts";

/** The newest changes of all Sites, in memory, for the streams of this process. */
export interface ChangeRing {
  /** Takes in what the reader brings. */
  apply(step: ReaderStep): void;
  /**
   * Returns at most `limit` changes of the Site after a position: none if the position is the
   * head, undefined if they are no longer (or not yet) here and the log has to be asked.
   */
  after(siteId: SiteId, position: number, limit: number): readonly UserChange[] | undefined;
  /** Returns the position of the newest change that was seen; 0: none since the start. */
  head(siteId: SiteId): number;
  /** Calls `listener` after each change of the Site; returns how to stop. */
  onChange(siteId: SiteId, listener: () => void): () => void;
}

const BYTES_MAX = 64 * 1024 * 1024;
const AGE_MS_MAX = 5 * 60_000;
const ENTRY_BYTES = 512; // What an entry weighs besides its body.
const COMPACT_AT = 1_024;

interface SiteRing {
  readonly changes: (UserChange | undefined)[];
  /** Changes before this index have left the ring; nothing is left there. */
  start: number;
  head: number;
  readonly listeners: Set<() => void>;
}

interface Arrival {
  readonly ring: SiteRing;
  readonly bytes: number;
  readonly arriveMs: number;
}

/** Creates the ring: at most 64 MB and 5 minutes of changes over all Sites. */
export function createChangeRing(bytesMax: number = BYTES_MAX): ChangeRing {
  const rings = new Map<SiteId, SiteRing>();
  let arrivals: Arrival[] = [];
  let left = 0;
  let bytes = 0;

  function ringOf(siteId: SiteId): SiteRing {
    const known = rings.get(siteId);
    if (known) return known;
    const ring = { changes: [], start: 0, head: 0, listeners: new Set<() => void>() };
    rings.set(siteId, ring);
    return ring;
  }

  function evict(nowMs: number): void {
    for (let oldest = arrivals[left]; oldest; oldest = arrivals[left]) {
      if (bytes <= bytesMax && nowMs - oldest.arriveMs < AGE_MS_MAX) break;
      bytes -= oldest.bytes;
      left += 1;
      dropOldest(oldest.ring);
    }
    if (left < COMPACT_AT) return;
    arrivals = arrivals.slice(left);
    left = 0;
  }

  function clear(): void {
    for (const ring of rings.values()) ring.changes.length = ring.start = ring.head = 0;
    arrivals = [];
    left = bytes = 0;
  }

  return {
    apply({ rows, epochChanged }) {
      const changed = new Set<SiteRing>(epochChanged ? rings.values() : []);
      const deleted = new Map<SiteRing, Set<UserId>>();
      if (epochChanged) clear();
      const nowMs = performance.now();
      for (const row of rows) {
        if (row.type !== "user_change") continue;
        const ring = ringOf(row.siteId);
        const size = ENTRY_BYTES + (row.body?.length ?? 0);
        ring.changes.push(row);
        ring.head = row.position;
        arrivals.push({ ring, bytes: size, arriveMs: nowMs });
        bytes += size;
        changed.add(ring);
        if (row.kind === "user_deleted") {
          deleted.set(ring, (deleted.get(ring) ?? new Set()).add(row.userId));
        }
      }
      for (const [ring, userIds] of deleted) erase(ring, userIds);
      evict(nowMs);
      for (const ring of changed) for (const listener of [...ring.listeners]) listener();
    },

    after(siteId, position, limit) {
      const ring = rings.get(siteId);
      if (!ring || ring.head <= position) return [];
      const first = ring.changes[ring.start];
      if (!first || first.position > position + 1) return undefined;
      const from = ring.start + (position + 1 - first.position);
      return ring.changes.slice(from, from + limit).filter((change) => change !== undefined);
    },

    head: (siteId) => rings.get(siteId)?.head ?? 0,

    onChange(siteId, listener) {
      const { listeners } = ringOf(siteId);
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Takes what is personal out of the earlier changes of Users that are deleted, as the log does. */
function erase({ changes, start }: SiteRing, userIds: ReadonlySet<UserId>): void {
  for (let n = start; n < changes.length; n += 1) {
    const change = changes[n];
    if (!change || change.kind === "user_deleted" || !userIds.has(change.userId)) continue;
    changes[n] = { ...change, body: undefined };
  }
}

/** Moves the start on; the array is cut only now and then, since each cut moves the rest. */
function dropOldest(ring: SiteRing): void {
  ring.changes[ring.start] = undefined;
  ring.start += 1;
  if (ring.start < COMPACT_AT && ring.start < ring.changes.length) return;
  ring.changes.splice(0, ring.start);
  ring.start = 0;
}
