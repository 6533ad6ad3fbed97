import { expect, test } from "vitest";
import { guessAtOnce } from "../support/guessing-race.ts";

test("of 1,000 guesses over two processes as many are checked as the limit says", async () => {
  const { outcomes, checked, afterwards } = await guessAtOnce({ guesses: 1_000, guessers: 100 });

  expect(outcomes).toEqual(Array(1_000).fill("LOGIN_FAILED"));
  expect(checked).toBe(20);
  expect(afterwards).toEqual(["LOGIN_FAILED", "LOGIN_FAILED"]);
});
