import { expect, test } from "vitest";
import { createReadiness } from "../../../src/server/readiness.ts";

test("readiness needs every condition and names those that are missing", () => {
  const readiness = createReadiness(["migrations", "database"]);

  readiness.set("migrations", true);

  expect(readiness.isReady()).toBe(false);
  expect(readiness.missing()).toEqual(["database"]);
});

test("readiness tells its listeners of every change, and of nothing else", () => {
  const readiness = createReadiness(["database", "reader"]);
  const told: boolean[] = [];
  const stop = readiness.onChange((isReady) => told.push(isReady));

  readiness.set("database", true);
  readiness.set("reader", true);
  readiness.set("reader", true);
  readiness.set("database", false);
  stop();
  readiness.set("database", true);

  expect(told).toEqual([true, false]);
});
