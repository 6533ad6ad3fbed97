import { expect, test } from "vitest";
import { createQuota } from "../../../src/server/quota.ts";

test("a quota refuses one more of the same holder, and one more in all", () => {
  const quota = createQuota({ total: 3, perHolder: 2 });

  const taken = ["a", "a", "a", "b", "c"].map((holder) => quota.take(holder) !== undefined);

  expect(taken).toEqual([true, true, false, true, false]);
  expect(quota.used).toBe(3);
});

test("a quota has room again after one was given back, which counts once", () => {
  const quota = createQuota({ total: 2, perHolder: 1 });
  const giveBack = quota.take("a");
  quota.take("b");

  giveBack?.();
  giveBack?.();

  expect(quota.used).toBe(1);
  expect(quota.take("a")).toBeDefined();
  expect(quota.take("c")).toBeUndefined();
});

test("a quota bounds an exempt holder by the whole only", () => {
  const quota = createQuota({ total: 2, perHolder: 1 });

  const taken = [1, 2, 3].map(() => quota.take("a", { exempt: true }) !== undefined);

  expect(taken).toEqual([true, true, false]);
});
