import { jitteredDelayMs, pause } from "./backoff.ts";
import type { CheckpointVerdict } from "./checkpoint-check.ts";
import type { MirrorHealth } from "./mirror-health.ts";
import type { MirrorLedger } from "./mirror-ledger.ts";
import type { ReconcileOptions, ReconcileReport } from "./mirror-report.ts";
import type { MirrorStatusFeed } from "./mirror-status.ts";
import type { MirrorRecord } from "./mirror-storage.ts";

/** Decides when the leading instance compares the Mirror with its Site. */
export interface MirrorKeeper {
  /** Hears what checkpoints say, and by how many Users the Mirror is off. */
  hear(verdict: CheckpointVerdict, drift: bigint): void;
  /** Looks whether there is a reason now. */
  wake(): void;
  /** Compares whenever there is a reason, until the signal is aborted. Never rejects for less. */
  run(signal: AbortSignal): Promise<void>;
}

/** What deciding takes. */
export interface KeeperOptions {
  readonly ledger: MirrorLedger;
  readonly reconcile: (options: ReconcileOptions) => Promise<ReconcileReport>;
  readonly readRecord: () => Promise<MirrorRecord>;
  readonly health: MirrorHealth;
  readonly status: MirrorStatusFeed;
  /** In milliseconds; 0: never. */
  readonly everyMs: number;
  readonly deepEveryMs: number;
}

/** After a failure, and after a comparison that has not cured what checkpoints say. */
const RETRY = { firstMs: 2_000, longestMs: 300_000 };
const UNCURED_MS_FIRST = 60_000;
const UNCURED_MS_MAX = 3_600_000;
/** So many unclear checkpoints in a row are reason enough. */
const UNCLEAR_MAX = 4;
/** Timers hold no longer than 24 days, and clocks may be set. */
const LOOK_MS_MAX = 60_000;
/** Mirrors that were set up together are not compared together. */
const JITTER = 0.1;

/** A Mirror that was never compared need not wait for a day. */
const FIRST_MS = 600_000;

/** Why to compare now. */
type Cause = "missed" | "diverged" | "due";

/** Begins with no reason but the one that the state may give. */
export function createMirrorKeeper(options: KeeperOptions): MirrorKeeper {
  const { ledger, health, status } = options;
  const jitter = 1 - JITTER + 2 * JITTER * Math.random();
  const beginMs = Date.now();
  const lookMs = Math.min(LOOK_MS_MAX, options.everyMs || LOOK_MS_MAX);
  let isWanted = false;
  let unclear = 0;
  /** Comparisons since the last checkpoint that was equal. */
  let attempts = 0;
  let notBeforeMs = 0;
  let wake = () => {};

  function hear(verdict: CheckpointVerdict, drift: bigint): void {
    health.noteSums(verdict === "equal", drift);
    if (verdict === "equal") {
      [isWanted, unclear, attempts, notBeforeMs] = [false, 0, 0, 0];
      status.overlay(undefined);
      return;
    }
    unclear++;
    if (verdict === "unclear" && unclear < UNCLEAR_MAX) return;
    if (verdict === "diverged" && !isWanted) {
      health.noteDiverged(attempts > 0 ? "not_cured" : "diverged");
      status.overlay({ type: "diverged", drift });
    }
    isWanted = true;
    wake();
  }

  async function causeNow(): Promise<Cause | undefined> {
    const { phase } = ledger.state;
    if (phase === "compare" && ledger.state.cursor !== "") return "missed";
    if (phase !== "tail") return undefined;
    if (isWanted && performance.now() >= notBeforeMs) return "diverged";
    const { last } = await options.readRecord();
    const [startMs, waitMs] = last
      ? [Date.parse(last.finishTime), options.everyMs]
      : [beginMs, Math.min(options.everyMs, FIRST_MS)];
    const dueMs = startMs + waitMs * jitter;
    return options.everyMs > 0 && Date.now() >= dueMs ? "due" : undefined;
  }

  async function compare(cause: Cause, signal: AbortSignal): Promise<void> {
    const { lastDeep } = await options.readRecord();
    const deepDueMs = lastDeep ? Date.parse(lastDeep.finishTime) + options.deepEveryMs : 0;
    const deep = cause === "due" && options.deepEveryMs > 0 && Date.now() >= deepDueMs;
    if (cause !== "due") status.overlay({ type: "repairing", found: 0, repaired: 0 });
    const report = await options.reconcile({
      deep,
      signal,
      onProgress({ found, repaired }) {
        if (found > 0) status.overlay({ type: "repairing", found, repaired });
      },
    });
    if (cause === "missed") await ledger.endComparison(report.epoch, report.position);
    if (cause === "diverged") {
      notBeforeMs = performance.now() + Math.min(UNCURED_MS_MAX, UNCURED_MS_FIRST * 2 ** attempts);
      attempts++;
    }
    [isWanted, unclear] = [false, 0];
    status.overlay(undefined);
  }

  return {
    hear,
    wake: () => wake(),
    async run(signal) {
      for (let failures = 0; !signal.aborted; ) {
        try {
          const waking = new AbortController();
          wake = () => waking.abort();
          const cause = await causeNow();
          if (cause) await compare(cause, signal);
          else await pause(lookMs, AbortSignal.any([signal, waking.signal]));
          failures = 0;
        } catch (error) {
          if (signal.aborted) return;
          health.counters.reconcileFailures++;
          health.noteError(error);
          await pause(jitteredDelayMs(RETRY, ++failures), signal);
        }
      }
    },
  };
}
