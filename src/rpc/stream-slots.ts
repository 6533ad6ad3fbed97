import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";

/** Counts what is open, by name, by Site and in all. */
export interface StreamSlots {
  /**
   * Takes a place and returns how to give it back; giving back twice does no harm.
   *
   * @throws {Failure} of the reason given at creation.
   */
  take(siteId: SiteId, name: string): () => void;
}

/**
 * Creates the places: at most `eachMax` of one name, `siteMax` of one Site, whose keys may give
 * themselves any number of names, and `totalMax` in all.
 */
export function createStreamSlots(options: {
  readonly eachMax: number;
  /** Below `totalMax`, so that one Site alone never takes the last place from the others. */
  readonly siteMax: number;
  readonly totalMax: number;
  readonly refusal: "too_many_streams" | "catch_up_busy";
  readonly retryDelayMs: number;
}): StreamSlots {
  const { eachMax, siteMax, totalMax, refusal, retryDelayMs } = options;
  const names = createCounts();
  const sites = createCounts();
  let total = 0;

  return {
    take(siteId, name) {
      const isFull = names.of(name) >= eachMax || sites.of(siteId) >= siteMax;
      if (isFull || total >= totalMax) {
        // Jitter, so that those who were refused together do not come back together.
        const delay = Math.round(retryDelayMs * (0.5 + Math.random()));
        throw new Failure(refusal, {}, { retryDelayMs: delay });
      }
      const leave = [names.add(name), sites.add(siteId)];
      total += 1;
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        total -= 1;
        for (const each of leave) each();
      };
    },
  };
}

function createCounts() {
  const counts = new Map<string, number>();
  const of = (name: string): number => counts.get(name) ?? 0;
  return {
    of,
    /** Returns how to take one away again. */
    add(name: string): () => void {
      counts.set(name, of(name) + 1);
      return () => {
        if (of(name) > 1) counts.set(name, of(name) - 1);
        else counts.delete(name);
      };
    },
  };
}
