import type { UserMirrorMetrics } from "./mirror-options.ts";
import type { UserMirrorEvent } from "./mirror-report.ts";

/** What is wrong with a Mirror as a whole. */
export type MirrorProblem = "diverged" | "lagging" | "silent";

/** Watches over a Mirror, counts what happens to it, and tells of what is wrong. */
export interface MirrorHealth extends Disposable {
  readonly counters: Mutable<HealthCounters>;
  /** Since when the Mirror is behind, in milliseconds; undefined: it is not. */
  readonly laggingMs: number | undefined;
  /** Passes on an event. */
  notify(event: UserMirrorEvent): void;
  /** Something was received, or this instance need not listen. */
  noteHeard(): void;
  /** The stream or the storage has failed. */
  noteError(error: unknown): void;
  noteBehind(behind: bigint): void;
  /** The sums of a checkpoint were compared: so many Users too many or too few; 0: equal. */
  noteSums(equal: boolean, drift: bigint): void;
  /** The sums are not those of the Site. */
  noteDiverged(cause: "diverged" | "not_cured"): void;
  /** What the numbers are now. */
  metrics(): HealthMetrics;
}

/** What is counted here. */
export type HealthCounters = Pick<
  UserMirrorMetrics,
  | "usersDiffering"
  | "usersRepaired"
  | "reconciles"
  | "reconcileFailures"
  | "checkpointsCompared"
  | "outOfSync"
  | "deliveryFailures"
  | "reportFailures"
>;

/** What is known here. */
export type HealthMetrics = HealthCounters &
  Pick<UserMirrorMetrics, "behind" | "sumsEqual" | "silentMs">;

/** From when on something is worth an event. */
export interface HealthLimits {
  readonly lagLimitMs: number;
  readonly silenceLimitMs: number;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

const TICK_MS_MAX = 1_000;

/** Begins to watch, with nothing wrong. */
export function createMirrorHealth(
  { lagLimitMs, silenceLimitMs }: HealthLimits,
  onEvent: ((event: UserMirrorEvent) => void) | undefined,
): MirrorHealth {
  const counters = { ...NOTHING_HAPPENED };
  const problems = new Set<MirrorProblem>();
  let heardMs = performance.now();
  let behindSinceMs: number | undefined;
  let [behind, drift] = [0n, 0n];
  let sumsEqual: boolean | undefined;
  let lastError: unknown;
  const sinceMs = (thenMs: number) => Math.round(performance.now() - thenMs);

  function notify(event: UserMirrorEvent): void {
    try {
      onEvent?.(event);
    } catch {
      // Whoever listens must not be able to stop the Mirror; the documentation says so.
    }
  }

  function clear(problem: MirrorProblem): void {
    if (problems.delete(problem) && problems.size === 0) notify({ type: "in_sync" });
  }

  function tick(): void {
    if (behindSinceMs !== undefined && sinceMs(behindSinceMs) > lagLimitMs) {
      outOfSync("lagging", "lagging");
    }
    const silentMs = sinceMs(heardMs);
    if (silentMs <= silenceLimitMs || problems.has("silent")) return;
    problems.add("silent");
    counters.deliveryFailures++;
    notify({ type: "delivery_failing", silentMs, error: lastError });
  }

  function outOfSync(problem: MirrorProblem, cause: "diverged" | "not_cured" | "lagging"): void {
    if (problems.has(problem) && cause !== "not_cured") return;
    if (!problems.has(problem)) counters.outOfSync++;
    problems.add(problem);
    notify({ type: "out_of_sync", cause, drift, behind });
  }

  const timer = setInterval(tick, Math.min(TICK_MS_MAX, lagLimitMs, silenceLimitMs)).unref();
  return {
    counters,
    notify,
    get laggingMs() {
      return behindSinceMs === undefined ? undefined : sinceMs(behindSinceMs);
    },
    noteHeard() {
      heardMs = performance.now();
      clear("silent");
    },
    noteError(error) {
      lastError = error;
    },
    noteBehind(present) {
      behind = present;
      if (behind > 0n) behindSinceMs ??= performance.now();
      else behindSinceMs = undefined;
      if (behind <= 0n) clear("lagging");
    },
    noteSums(equal, presentDrift) {
      counters.checkpointsCompared++;
      [sumsEqual, drift] = [equal, presentDrift];
      if (equal) clear("diverged");
    },
    noteDiverged: (cause) => outOfSync("diverged", cause),
    metrics: () => ({ ...counters, behind, sumsEqual, silentMs: sinceMs(heardMs) }),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

const NOTHING_HAPPENED: HealthCounters = {
  usersDiffering: 0,
  usersRepaired: 0,
  reconciles: 0,
  reconcileFailures: 0,
  checkpointsCompared: 0,
  outOfSync: 0,
  deliveryFailures: 0,
  reportFailures: 0,
};
