import { describe, expect, test } from "vitest";
import { medianIndex, percentile, spreadOf } from "../../../bench/statistics.ts";

describe("percentile", () => {
  test("is the value at the nearest rank, whatever the order", () => {
    const numbers = [5, 1, 4, 2, 3, 10, 9, 8, 7, 6];

    expect([0, 0.5, 0.99, 1].map((share) => percentile(numbers, share))).toEqual([1, 5, 10, 10]);
  });

  test("is no number where there are none", () => {
    expect(percentile([], 0.5)).toBeNaN();
  });
});

describe("medianIndex", () => {
  test("points at the number in the middle, at the lower of two", () => {
    expect(medianIndex([9, 1, 5])).toBe(2);
    expect(medianIndex([9, 1, 5, 7])).toBe(2);
    expect(medianIndex([])).toBe(-1);
  });
});

describe("spreadOf", () => {
  test("reaches from the smallest to the largest", () => {
    expect(spreadOf([3, 1, 2])).toEqual({ min: 1, max: 3 });
  });
});
