import { expect, test } from "vitest";
import { restartUnder } from "../support/restart-trial.ts";

test.for(["SIGTERM", "SIGKILL"] as const)(
  "1,000 subscribers are all back 10 s after a restart by %s",
  async (signal, { annotate }) => {
    const { awayMs, returnedMs, readsAtOnce, gaps } = await restartUnder(1_000, signal);
    // Who has tried in vain for longer waits longer before the next attempt.
    const returnMsMax = Math.max(10_000, 3 * awayMs);

    await annotate(
      `away for ${Math.round(awayMs)} ms, all back ${Math.round(returnedMs)} ms later; ` +
        `at most ${readsAtOnce} reads of the log at once`,
    );
    expect(gaps).toBe(0);
    expect(readsAtOnce).toBeLessThanOrEqual(4);
    expect(returnedMs).toBeLessThan(returnMsMax);
  },
);
