import { expect, test } from "vitest";
import { restartUnder } from "../support/restart-trial.ts";

const RETURN_MS_MAX = 10_000;

test.for(["SIGTERM", "SIGKILL"] as const)(
  "1,000 subscribers are all back 10 s after a restart by %s",
  async (signal, { annotate }) => {
    const outcome = await restartUnder(1_000, signal);

    await annotate(`${Math.round(outcome.returnedMs)} ms, ${outcome.readsAtOnce} reads at once`);
    expect(outcome.gaps).toBe(0);
    expect(outcome.readsAtOnce).toBeLessThanOrEqual(4);
    expect(outcome.returnedMs).toBeLessThan(RETURN_MS_MAX);
  },
);
