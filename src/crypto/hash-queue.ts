import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { createFairLine, type Waiting } from "./fair-line.ts";

/** Who wants a hash, and how long they can wait for it. */
export interface HashCaller {
  readonly siteId: SiteId;
  /** Aborted when the caller has gone: their entry is dropped before it is hashed. */
  readonly signal?: AbortSignal | undefined;
  /** What is left of the caller's deadline. */
  readonly timeoutMs?: number | undefined;
}

/** Counts since the start, and the queue as it is now. */
export interface HashQueueStats {
  readonly running: number;
  readonly waiting: number;
  readonly completedTotal: number;
  /** Refused with `overloaded`. */
  readonly shedTotal: number;
  /** Left before their turn. */
  readonly droppedTotal: number;
  /** Running average of one hash. */
  readonly hashMs: number;
}

/** The line in front of argon2. */
export interface HashQueue {
  /** How many hash at once. */
  readonly concurrency: number;
  /**
   * Says that a caller of the Site is about to `run`, once it has done what comes before. Returns
   * what takes that back, to be called right before `run`. Refuses a caller for whom there would be
   * no place, before anything is done for it: that is what keeps a flood from the database.
   *
   * @throws {Failure} `overloaded`, with a delay.
   */
  announce(siteId: SiteId): () => void;
  /**
   * Runs `hash` when its turn comes, and answers with its result.
   *
   * @throws {Failure} `overloaded`, with a delay, if the wait would be too long.
   * @throws the signal's reason, if the caller has gone.
   */
  run<T>(caller: HashCaller, hash: () => Promise<T>): Promise<T>;
  stats(): HashQueueStats;
}

/** How many hash at once, and how long an entry may wait for its turn. */
export interface HashQueueOptions {
  /** Fewer than the threads of libuv: files and names of hosts need some too. */
  readonly concurrency: number;
  readonly waitMsMax?: number;
}

const RETRY_MS_MIN = 100;
const RETRY_STEP_MS = 20;
const REFUSALS_MAX = 100;

/** Estimates err: with a line of 0.8 of the bound, few are let in and refused 500 ms later. */
const LINE_SHARE = 0.8;

/** argon2id with the parameters of this service takes about as long; soon measured. */
const FIRST_ESTIMATE_MS = 25;
const NEWEST_WEIGHT = 0.1;

/**
 * Creates the line in front of argon2: bounded by time, and fair between Sites.
 *
 * Sites take turns. The line holds what can begin well within `waitMsMax` (500 ms) at the
 * measured pace; beyond that, the newest entry of the Site with most entries is refused at once, so
 * that a flood on one Site sheds its own logins and leaves the others alone.
 */
export function createHashQueue(options: HashQueueOptions): HashQueue {
  const { concurrency, waitMsMax = LIMITS.hashWaitMsMax } = options;
  const line = createFairLine();
  const counts = { running: 0, completedTotal: 0, shedTotal: 0, droppedTotal: 0 };
  const coming = new Map<SiteId, number>();
  let hashMs = FIRST_ESTIMATE_MS;

  /** Returns how long an entry waits that has so many others before it. */
  const waitMs = (ahead: number) => ((ahead + 1) * hashMs) / concurrency;

  const refusals = new Map<number, Failure>();

  /** In a flood the same Failure serves for all, since a stack for each would cost more than it. */
  function overloaded(): Failure {
    counts.shedTotal++;
    const delayMs = Math.max(RETRY_MS_MIN, waitMs(line.length()));
    const retryDelayMs = Math.ceil(delayMs / RETRY_STEP_MS) * RETRY_STEP_MS;
    const known = refusals.get(retryDelayMs);
    if (known) return known;
    const failure = new Failure("overloaded", {}, { retryDelayMs });
    if (refusals.size >= REFUSALS_MAX) refusals.clear();
    refusals.set(retryDelayMs, failure);
    return failure;
  }

  function shed(entry: Waiting | undefined): void {
    const failure = overloaded();
    entry?.leave(failure);
  }

  /** Tells whether no other Site has more entries, those to come included. */
  function isLongest(siteId: SiteId): boolean {
    const lengths = new Map(line.lengths());
    for (const [id, number] of coming) lengths.set(id, (lengths.get(id) ?? 0) + number);
    const own = lengths.get(siteId) ?? 0;
    return lengths.values().every((length) => length <= own);
  }

  function drop(entry: Waiting, reason: unknown): void {
    if (!line.remove(entry)) return;
    counts.droppedTotal++;
    entry.leave(reason);
  }

  function expire(entry: Waiting): void {
    if (line.remove(entry)) shed(entry);
  }

  /** Waits for a turn; a timer holds the bound even where the estimate was too low. */
  async function waitForTurn({ siteId, signal, timeoutMs }: HashCaller): Promise<void> {
    const boundMs = Math.min(waitMsMax, (timeoutMs ?? Number.POSITIVE_INFINITY) - hashMs);
    const lineMsMax = LINE_SHARE * waitMsMax;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const entry: Waiting = { siteId, start: resolve, leave: reject };
    const onAbort = () => drop(entry, signal?.reason);
    const timer = setTimeout(expire, boundMs, entry);
    signal?.addEventListener("abort", onAbort, { once: true });
    line.add(entry);
    if (waitMs(line.countAhead(entry)) > Math.min(boundMs, lineMsMax)) expire(entry);
    else if (waitMs(line.length() - 1) > lineMsMax) shed(line.removeNewestOfLongest(siteId));
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Hands the place to the next in line, if there is one. */
  function finish(beginMs: number): void {
    counts.completedTotal++;
    // Longer than anybody waits tells no more than that: one Site's costly hashes, imported from
    // elsewhere, must not speak for all.
    const ms = Math.min(performance.now() - beginMs, waitMsMax);
    hashMs += NEWEST_WEIGHT * (ms - hashMs);
    const next = line.next();
    if (next) next.start();
    else counts.running--;
  }

  return {
    concurrency,

    announce(siteId) {
      const ahead = line.length() + coming.values().reduce((sum, number) => sum + number, 0);
      // A place that is free is no wait, whatever the hashes before have taken: were it refused, no
      // other hash would ever correct the estimate.
      const isFree = counts.running + ahead < concurrency;
      const isFull = !isFree && waitMs(ahead) > LINE_SHARE * waitMsMax;
      if (isFull && isLongest(siteId)) throw overloaded();
      coming.set(siteId, (coming.get(siteId) ?? 0) + 1);
      return () => {
        const left = (coming.get(siteId) ?? 1) - 1;
        if (left === 0) coming.delete(siteId);
        else coming.set(siteId, left);
      };
    },

    async run(caller, hash) {
      caller.signal?.throwIfAborted();
      if (counts.running < concurrency) counts.running++;
      else await waitForTurn(caller);
      const beginMs = performance.now();
      try {
        return await hash();
      } finally {
        finish(beginMs);
      }
    },

    stats: () => ({ ...counts, waiting: line.length(), hashMs }),
  };
}
