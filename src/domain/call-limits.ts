import type { Logger } from "pino";
import type { KeyedDigest } from "../crypto/keyed-digest.ts";
import { Failure } from "../model/failure.ts";
import { LIMITS } from "../model/limits.ts";
import { createTally } from "../model/tally.ts";
import { addCallCounts } from "../store/call-counts.ts";
import type { Database } from "../store/database.ts";

/** What is limited by itself: calls that check a secret, those that send a mail, all others. */
export type CallKind = "plain" | "secret" | "mail";

/** Whose calls are counted together, such as an address or a Site. */
export interface CallHolder {
  readonly by: "source" | "site";
  readonly name: string;
}

/** How many calls one holder may make within a minute. */
export type CallRates = Readonly<Record<CallHolder["by"], Readonly<Record<CallKind, number>>>>;

/** The limits of calls, over all processes. */
export interface CallLimits {
  /** Counts a call. @throws {Failure} `rate_limited`, with a delay. */
  count(holder: CallHolder, kind: CallKind): void;
  /** How many calls it has refused, by whom they were counted. */
  refused(): readonly (readonly [CallHolder["by"], number])[];
}

/** Of one minute; `percent` of these are granted. */
const CALL_RATES: CallRates = {
  source: { plain: 3_000, secret: 300, mail: 60 },
  site: { plain: 300_000, secret: 60_000, mail: 30_000 },
};

/** From when on a count is told to the others: below it, ten processes together stay within. */
const SHARED_FROM = 0.1;

interface Count {
  readonly key: Buffer;
  readonly max: number;
  /** What this process has counted and not told the others yet. */
  own: number;
  /** What all had counted when they were last asked, this process included. */
  shared: number;
}

/**
 * Creates the limits.
 *
 * A call costs a look into memory. What comes near a limit is added up with the counts of the
 * other processes every quarter of a second, in one statement, so that a flood is let through for
 * so long at most; guesses, which have to be exact, are counted in their own transaction instead.
 * While the database is away, each process goes by its own counts.
 */
export function createCallLimits(options: {
  readonly db: Pick<Database, "acrossSites">;
  readonly digest: KeyedDigest;
  readonly log: Logger;
  readonly percent: number;
}): CallLimits {
  const { db, digest, log, percent } = options;
  const across = { query: db.acrossSites };
  const { callWindowMs, callHoldersMax, callSyncMs } = LIMITS;
  // Apart, so that a flood from many sources does not crowd out the Sites.
  const refusals = createTally<CallHolder["by"]>(["source", "site"]);
  const counts = { source: new Map<string, Count>(), site: new Map<string, Count>() };
  /** Those that the other processes have to hear of. */
  const untold = new Set<Count>();
  let windowEndMs = 0;
  let isShareDue = false;

  function find({ by, name }: CallHolder, kind: CallKind): Count {
    const id = `${by} ${kind} ${name}`;
    const known = counts[by].get(id);
    if (known) return known;
    const max = Math.ceil((CALL_RATES[by][kind] * percent) / 100);
    const count = { key: digest(undefined, "call_holder", id), max, own: 0, shared: 0 };
    if (counts[by].size < callHoldersMax) counts[by].set(id, count);
    return count;
  }

  /** All processes cut time at the same instants, and so need not agree on windows. */
  function turnWindow(nowMs: number): void {
    if (nowMs < windowEndMs) return;
    windowEndMs = nowMs - (nowMs % callWindowMs) + callWindowMs;
    counts.source.clear();
    counts.site.clear();
    untold.clear();
  }

  async function share(): Promise<void> {
    isShareDue = false;
    const told = [...untold].map((count) => ({ count, key: count.key, calls: count.own }));
    untold.clear();
    if (told.length === 0) return;
    for (const { count, calls } of told) move(count, calls); // So that no call is told twice.
    try {
      const sums = await addCallCounts(across, new Date(windowEndMs), told);
      const byKey = new Map(sums.map(({ key, calls }) => [key.toString("hex"), calls]));
      for (const { count, key } of told) {
        count.shared = Math.max(count.shared, byKey.get(key.toString("hex")) ?? 0);
      }
    } catch (err) {
      for (const { count, calls } of told) move(count, -calls);
      log.debug({ err }, "call counts are not shared");
    }
  }

  function shareSoon(count: Count): void {
    untold.add(count);
    if (isShareDue) return;
    isShareDue = true;
    setTimeout(() => void share(), callSyncMs).unref();
  }

  return {
    count(holder, kind) {
      const nowMs = Date.now();
      turnWindow(nowMs);
      const count = find(holder, kind);
      if (count.own + count.shared >= count.max) {
        refusals.add(holder.by);
        throw new Failure("rate_limited", {}, { retryDelayMs: windowEndMs - nowMs });
      }
      count.own += 1;
      if (count.own + count.shared >= count.max * SHARED_FROM) shareSoon(count);
    },
    refused: refusals.entries,
  };
}

function move(count: Count, calls: number): void {
  count.own -= calls;
  count.shared += calls;
}
