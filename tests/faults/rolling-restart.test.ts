import { expect, test } from "vitest";
import { restartRolling } from "../support/rolling-restart.ts";

const EXIT_MS_MAX = 15_000;

test("with 200 streams and traffic is over 15 s after SIGTERM, and loses no call", async ({
  annotate,
}) => {
  const restart = await restartRolling({ streams: 200, callers: 40, callsBetween: 2_000 });
  const { exits, failures, miscounted, gaps, calls, repeats } = restart;

  await annotate(
    `${calls} calls, ${repeats} repeated; exits after ${exits.map(({ ms }) => ms)} ms`,
  );
  expect(exits.map(({ code }) => code)).toEqual([0, 0]);
  expect(Math.max(...exits.map(({ ms }) => ms))).toBeLessThan(EXIT_MS_MAX);
  expect(failures).toEqual([]);
  expect(miscounted).toBe(0);
  expect(gaps).toBe(0);
});
