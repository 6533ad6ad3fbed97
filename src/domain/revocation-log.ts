import { isRevocation, type SiteRevocation } from "../model/change.ts";
import type { SiteId } from "../model/id.ts";
import { followChanges, type LogRow } from "../store/changes.ts";
import type { Queryable } from "../store/sql.ts";
import type { ReaderStep } from "./change-reader.ts";

/** A place in the log over all Sites; sealed into cursors, since it tells how busy others are. */
export interface LogPlace {
  readonly epoch: number;
  readonly pos: number;
}

/** Revocations after a place, and the place up to which none is left out. */
export interface RevocationsAfter {
  readonly revocations: readonly SiteRevocation[];
  readonly pos: number;
}

/** The newest revocations of all Sites, in memory, for the streams of this process. */
export interface RevocationLog {
  /** Finds out where the log begins; call it once, as soon as the reader has started. */
  begin(db: Queryable): Promise<void>;
  /** Takes in what the reader brings. */
  apply(step: ReaderStep): void;
  /** How far the log is read: what was numbered up to here is committed, too. */
  place(): LogPlace;
  /** Tells whether everything after a place is here, or will be. */
  covers(place: LogPlace): boolean;
  /** Returns at most `limit` revocations of the Site after a position that the log covers. */
  after(siteId: SiteId, pos: number, limit: number): RevocationsAfter;
  /** Calls `listener` after each revocation of the Site; returns how to stop. */
  onChange(siteId: SiteId, listener: () => void): () => void;
}

interface Entry {
  readonly pos: number;
  readonly siteId: SiteId;
  readonly revocation: SiteRevocation;
}

const ENTRIES_MAX = 100_000; // About 30 MB.

/** Creates the log: it begins empty, and forgets the oldest beyond `entriesMax`. */
export function createRevocationLog(entriesMax: number = ENTRIES_MAX): RevocationLog {
  const listeners = new Map<SiteId, Set<() => void>>();
  let entries: Entry[] = [];
  let epoch = 0;
  /** Everything after this position is in `entries`, as far as it was read. */
  let start = Number.POSITIVE_INFINITY;
  let pos = 0;

  function add({ rows }: ReaderStep): void {
    for (const row of rows) {
      const revocation = revocationOf(row);
      if (revocation) entries.push({ pos: row.pos, siteId: row.siteId, revocation });
      pos = Math.max(pos, row.pos);
    }
    // A tenth more than allowed is let in first, since each cut moves the rest.
    if (entries.length <= entriesMax * 1.1) return;
    start = entries.at(-entriesMax - 1)?.pos ?? start;
    entries = entries.slice(-entriesMax);
  }

  return {
    async begin(db) {
      const { epoch: current, head } = await followChanges(db, Number.MAX_SAFE_INTEGER, 1);
      epoch = current;
      start = head;
      pos = Math.max(pos, head);
    },
    apply(step) {
      if (step.epochChanged) {
        // What comes with this step is all there is of the new epoch.
        entries = [];
        ({ epoch } = step);
        start = pos = 0;
      }
      const from = entries.length;
      add(step);
      const woken = step.epochChanged ? listeners.keys() : entries.slice(from).map(siteOf);
      for (const siteId of new Set(woken)) {
        for (const listener of [...(listeners.get(siteId) ?? [])]) listener();
      }
    },
    place: () => ({ epoch, pos }),
    covers: (place) => place.epoch === epoch && place.pos >= start,
    after(siteId, from, limit) {
      const found: Entry[] = [];
      for (let n = firstAfter(entries, from); n < entries.length && found.length < limit; n += 1) {
        const entry = entries[n];
        if (entry?.siteId === siteId) found.push(entry);
      }
      const covered = found.length === limit ? (found.at(-1)?.pos ?? from) : Math.max(pos, from);
      return { revocations: found.map(({ revocation }) => revocation), pos: covered };
    },
    onChange(siteId, listener) {
      const set = listeners.get(siteId) ?? new Set();
      listeners.set(siteId, set.add(listener));
      return () => {
        set.delete(listener);
        if (set.size === 0 && listeners.get(siteId) === set) listeners.delete(siteId);
      };
    },
  };
}

function revocationOf(row: LogRow): SiteRevocation | undefined {
  if (row.type !== "notice" || !isRevocation(row.notice)) return undefined;
  return { notice: row.notice, revokeTime: row.commitTime };
}

const siteOf = ({ siteId }: Entry): SiteId => siteId;

/** Entries are in the order of the log: halves what is left until it finds the first. */
function firstAfter(entries: readonly Entry[], pos: number): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle]?.pos ?? pos) > pos) high = middle;
    else low = middle + 1;
  }
  return low;
}
