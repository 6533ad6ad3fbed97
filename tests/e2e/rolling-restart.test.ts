import { expect, test } from "vitest";
import { restartRolling } from "../support/rolling-restart.ts";

test("a rolling restart under 200 streams fails no call that retries UNAVAILABLE", async ({
  annotate,
}) => {
  const restart = await restartRolling({ streams: 200, callers: 8, callsBetween: 60 });
  const { exits, failures, miscounted, gaps, calls, repeats } = restart;

  await annotate(
    `${calls} calls, ${repeats} repeated; exits after ${exits.map(({ ms }) => ms)} ms`,
  );
  expect(exits.map(({ code }) => code)).toEqual([0, 0]);
  expect(failures).toEqual([]);
  expect(miscounted).toBe(0);
  expect(gaps).toBe(0);
});
