import { expect, test } from "vitest";
import { fewRounds, playRounds } from "../../../bench/rounds.ts";

test("each round begins with another contender, and the first is not counted", async () => {
  const order: string[] = [];
  const contender = (name: string) => async () => order.push(name);

  const samples = await playRounds(2, { a: contender("a"), b: contender("b") });

  expect(order).toEqual(["a", "b", "b", "a", "a", "b"]);
  expect(samples).toEqual({ a: [4, 5], b: [3, 6] });
});

test("few rounds are about half as many, and odd where the others are", () => {
  expect([1, 3, 7, 9].map(fewRounds)).toEqual([1, 1, 3, 5]);
});
