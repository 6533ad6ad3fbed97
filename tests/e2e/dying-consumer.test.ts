import { expect, test } from "vitest";
import { tryDyingConsumer } from "../support/dying-consumer.ts";

test("an app that dies around a COMMIT has every User, and heard of each once", async () => {
  expect(await tryDyingConsumer(2)).toEqual([]);
});
