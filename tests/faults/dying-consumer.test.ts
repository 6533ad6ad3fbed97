import { expect, test } from "vitest";
import { tryDyingConsumer } from "../support/dying-consumer.ts";

test("an app that dies 60 times around a COMMIT heard of each User once", async () => {
  expect(await tryDyingConsumer(20)).toEqual([]);
});
