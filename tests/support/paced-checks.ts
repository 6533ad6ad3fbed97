import { setTimeout as sleep } from "node:timers/promises";

/** Checks at a steady pace, and what came of them. */
export interface PacedChecks {
  done(): number;
  readonly failures: readonly unknown[];
  /** Begins no further ones, and waits for those under way. */
  stop(): Promise<void>;
}

/**
 * Begins so many checks each second, whether or not earlier ones have ended, as those of many
 * callers are. A machine that lags behind makes up for it at once.
 */
export function startChecks(perSecond: number, check: (n: number) => Promise<void>): PacedChecks {
  const failures: unknown[] = [];
  const beginning = Date.now();
  const underWay = new Set<Promise<void>>();
  const ending = new AbortController();
  let [begun, done] = [0, 0];
  const begin = (): void => {
    const checking = check(begun)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => {
        done += 1;
        underWay.delete(checking);
      });
    begun += 1;
    underWay.add(checking);
  };
  const pace = (async () => {
    while (!ending.signal.aborted) {
      const due = ((Date.now() - beginning) / 1_000) * perSecond;
      while (begun < due) begin();
      await sleep(1_000 / perSecond);
    }
  })();
  return {
    done: () => done,
    failures,
    async stop() {
      ending.abort();
      await pace;
      await Promise.all(underWay);
    },
  };
}
