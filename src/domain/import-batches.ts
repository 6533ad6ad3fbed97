import { LIMITS } from "../model/limits.ts";
import { type ImportResult, isRefused, type ReadRow } from "../model/user-import.ts";
import type { ImportJob } from "./import-job.ts";
import { namesOfRow } from "./import-matches.ts";
import type { Turns } from "./turns.ts";
import { importRows } from "./user-imports.ts";

/** How the batches of an import are worked on. */
export interface ImportWork {
  readonly job: ImportJob;
  /** Shared by all imports of the process, so that they leave connections to other calls. */
  readonly turns: Turns;
}

/**
 * Imports one batch after the other, and returns the results of each in the order of the batches.
 *
 * A few are under way at once, and no further one is asked for until the first has ended: what
 * waits is bounded, however fast rows come. Batches with a name in common go one after the other.
 */
export async function* importBatches(
  work: ImportWork,
  batches: AsyncIterator<readonly ReadRow[]>,
): AsyncGenerator<readonly ImportResult[]> {
  const underWay: Batch[] = [];
  const atOnceMax = atOnce(work.job);
  let next: Promise<IteratorResult<readonly ReadRow[]>> | undefined;
  let isOver = false;
  let failure: { readonly error: unknown } | undefined;
  try {
    while (!isOver || underWay.length > 0) {
      if (!isOver && underWay.length < atOnceMax) next ??= batches.next();
      const [first] = underWay;
      const event = await firstOf(next, first?.results);
      if (event.is === "results") {
        underWay.shift();
        yield event.results;
        continue;
      }
      next = undefined;
      if (event.is === "batch" && event.batch.done !== true) {
        underWay.push(begin(work, event.batch.value, underWay));
        continue;
      }
      isOver = true;
      if (event.is === "failure") failure = event;
    }
    if (failure) throw failure.error;
  } finally {
    next?.catch(() => undefined);
    await Promise.allSettled(underWay.map(({ results }) => results));
  }
}

/**
 * Rows only take names as long as they change no User, so that the order of batches without a name
 * in common makes no difference. A change may also set a name free.
 */
function atOnce({ options }: ImportJob): number {
  return options.mode === "keep" ? LIMITS.importBatchesMax : 1;
}

interface Batch {
  readonly names: ReadonlySet<string>;
  readonly results: Promise<readonly ImportResult[]>;
}

function begin(
  { job, turns }: ImportWork,
  rows: readonly ReadRow[],
  underWay: readonly Batch[],
): Batch {
  const names = rows.flatMap((row) => (isRefused(row) ? [] : namesOfRow(row)));
  const before = underWay.filter((batch) => names.some((name) => batch.names.has(name)));
  const run = async () => {
    await Promise.all(before.map(({ results }) => results));
    return await turns.run(() => importRows(job, rows));
  };
  const results = run();
  results.catch(() => undefined); // It is looked at when its turn comes.
  return { names: new Set(names), results };
}

type Event =
  | { readonly is: "batch"; readonly batch: IteratorResult<readonly ReadRow[]> }
  | { readonly is: "results"; readonly results: readonly ImportResult[] }
  /** No more batches come; what is under way is still told of. */
  | { readonly is: "failure"; readonly error: unknown };

/** Waits for the next batch or the next results; of two that are there, the results come first. */
function firstOf(
  next: Promise<IteratorResult<readonly ReadRow[]>> | undefined,
  results: Promise<readonly ImportResult[]> | undefined,
): Promise<Event> {
  const events: Promise<Event>[] = [];
  if (results) events.push(results.then((found) => ({ is: "results", results: found })));
  if (next) {
    events.push(
      next.then(
        (batch) => ({ is: "batch", batch }),
        (error: unknown) => ({ is: "failure", error }),
      ),
    );
  }
  return Promise.race(events);
}
