import type { SiteId } from "../model/id.ts";

/** An entry that waits for its turn. */
export interface Waiting {
  readonly siteId: SiteId;
  /** Called when its turn has come. */
  start(): void;
  /** Called when it has to leave without one. */
  leave(reason: unknown): void;
}

/** A line in which Sites take turns; entries of one Site keep their order. */
export interface FairLine {
  length(): number;
  /** Counts the entries of each Site with at least one. */
  lengths(): ReadonlyMap<SiteId, number>;
  add(entry: Waiting): void;
  /** Takes the entry out; false if it is no longer in the line. */
  remove(entry: Waiting): boolean;
  /** Takes out the entry whose turn it is. */
  next(): Waiting | undefined;
  /** Counts the entries whose turn comes before this one's. */
  countAhead(entry: Waiting): number;
  /** Takes out the newest entry of the Site with most; of `siteId`, where several have most. */
  removeNewestOfLongest(siteId: SiteId): Waiting | undefined;
}

/** Creates an empty line. Its Sites are in the order in which their turns come. */
export function createFairLine(): FairLine {
  const sites = new Map<SiteId, Waiting[]>();

  function removeAt(siteId: SiteId, index: number): Waiting | undefined {
    const entries = sites.get(siteId) ?? [];
    const [entry] = entries.splice(index, 1);
    if (entries.length === 0) sites.delete(siteId);
    return entry;
  }

  function longestSite(preferred: SiteId): SiteId {
    let [longest, length] = [preferred, sites.get(preferred)?.length ?? 0];
    for (const [siteId, entries] of sites) {
      if (entries.length > length) [longest, length] = [siteId, entries.length];
    }
    return longest;
  }

  return {
    length: () => sites.values().reduce((sum, entries) => sum + entries.length, 0),

    lengths: () => new Map(sites.entries().map(([siteId, entries]) => [siteId, entries.length])),

    add(entry) {
      const entries = sites.get(entry.siteId);
      if (entries) entries.push(entry);
      else sites.set(entry.siteId, [entry]);
    },

    remove(entry) {
      const index = sites.get(entry.siteId)?.indexOf(entry) ?? -1;
      return index >= 0 && removeAt(entry.siteId, index) !== undefined;
    },

    next() {
      const [siteId] = sites.keys();
      if (siteId === undefined) return undefined;
      const entry = removeAt(siteId, 0);
      const others = sites.get(siteId);
      sites.delete(siteId);
      if (others) sites.set(siteId, others); // Now behind every other Site.
      return entry;
    },

    countAhead(entry) {
      const rounds = sites.get(entry.siteId)?.indexOf(entry) ?? 0;
      let [ahead, isBefore] = [0, true];
      for (const [siteId, entries] of sites) {
        if (siteId === entry.siteId) isBefore = false;
        ahead += Math.min(entries.length, isBefore ? rounds + 1 : rounds);
      }
      return ahead;
    },

    removeNewestOfLongest(siteId) {
      return removeAt(longestSite(siteId), -1);
    },
  };
}
