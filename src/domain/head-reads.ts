import type { SiteHead } from "../model/change.ts";
import type { SiteId } from "../model/id.ts";
import type { Deps } from "./deps.ts";
import { numberChanges, siteHead } from "./sync.ts";
import { createTurns } from "./turns.ts";

/** Sites that are looked at together: the other connections are for calls. */
const READS_MAX = 4;

/** Tells where the log of a Site stands; those who ask at the same time share one look. */
export interface HeadReads {
  /**
   * Returns where the Site's log stands, after everything that was committed before the call has
   * been numbered.
   *
   * @throws {Failure} `unavailable` if others keep numbering for longer than a second.
   */
  read(siteId: SiteId): Promise<SiteHead>;
}

/** Creates the reads. A thousand streams that come back at once cost a few queries. */
export function createHeadReads(deps: Deps): HeadReads {
  const number = shareCalls(() => numberChanges(deps));
  const turns = createTurns(READS_MAX);
  const reads = new Map<SiteId, () => Promise<SiteHead>>();

  return {
    async read(siteId) {
      const known = reads.get(siteId);
      const read =
        known ??
        shareCalls(
          async () => {
            await number();
            return await turns.run(() => siteHead(deps, siteId));
          },
          () => reads.delete(siteId),
        );
      if (!known) reads.set(siteId, read);
      return await read();
    },
  };
}

/**
 * Makes calls share their work: who comes while it is under way waits for the next round, which
 * begins when this one has ended, so that the answer is never older than the question.
 */
function shareCalls<T>(work: () => Promise<T>, onIdle?: () => void): () => Promise<T> {
  let current: Promise<T> | undefined;
  let next: Promise<T> | undefined;

  function begin(): Promise<T> {
    const round = work();
    current = round;
    const end = () => {
      current = undefined;
      if (!next) onIdle?.();
    };
    round.then(end, end);
    return round;
  }

  return () => {
    if (!current && !next) return begin();
    next ??= Promise.resolve(current)
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return begin();
      });
    return next;
  };
}
