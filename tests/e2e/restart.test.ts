import { expect, test } from "vitest";
import { restartUnder } from "../support/restart-trial.ts";

test("200 subscribers are all back after a restart, without a gap", async () => {
  const outcome = await restartUnder(200, "SIGTERM");

  expect(outcome.gaps).toBe(0);
  expect(outcome.readsAtOnce).toBeLessThanOrEqual(4);
  expect(outcome.returnedMs).toBeLessThan(60_000);
});
