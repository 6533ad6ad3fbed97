import { expect, test } from "vitest";
import { playRounds } from "../../../bench/rounds.ts";

test("each round begins with another contender, and the first is not counted", async () => {
  const order: string[] = [];
  const contender = (name: string) => async () => order.push(name);

  const samples = await playRounds(2, { a: contender("a"), b: contender("b") });

  expect(order).toEqual(["a", "b", "b", "a", "a", "b"]);
  expect(samples).toEqual({ a: [4, 5], b: [3, 6] });
});
