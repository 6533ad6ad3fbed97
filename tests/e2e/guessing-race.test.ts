import { expect, test } from "vitest";
import { guessAtOnce } from "../support/guessing-race.ts";

test("of 60 guesses at once over two processes 20 are checked", async () => {
  const { outcomes, checked, afterwards } = await guessAtOnce({ guesses: 60, guessers: 60 });

  expect(outcomes).toEqual(Array(60).fill("LOGIN_FAILED"));
  expect(checked).toBe(20);
  expect(afterwards).toEqual(["LOGIN_FAILED", "LOGIN_FAILED"]);
});
