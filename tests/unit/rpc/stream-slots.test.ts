import { describe, expect, test } from "vitest";
import { Failure } from "../../../src/model/failure.ts";
import { createStreamSlots } from "../../../src/rpc/stream-slots.ts";

const OPTIONS = {
  eachMax: 2,
  totalMax: 3,
  refusal: "too_many_streams",
  retryDelayMs: 100,
} as const;

describe("the places for streams", () => {
  test("are so many for each name, and so many in all", () => {
    const slots = createStreamSlots(OPTIONS);
    slots.take("a");
    slots.take("a");

    expect(() => slots.take("a")).toThrow(Failure);
    slots.take("b");
    expect(() => slots.take("c")).toThrow(Failure);
  });

  test("are free again when given back, once however often that is said", () => {
    const slots = createStreamSlots(OPTIONS);
    const giveBack = slots.take("a");
    slots.take("a");
    giveBack();
    giveBack();
    slots.take("a");

    expect(() => slots.take("a")).toThrow(Failure);
  });

  test("send those away who find none, each for another time", () => {
    const slots = createStreamSlots({ ...OPTIONS, eachMax: 0 });
    const delays = Array.from({ length: 20 }, () => {
      try {
        slots.take("a");
      } catch (error) {
        return error instanceof Failure ? error.retryDelayMs : undefined;
      }
      return undefined;
    });

    expect(Math.min(...delays.map(Number))).toBeGreaterThanOrEqual(50);
    expect(Math.max(...delays.map(Number))).toBeLessThanOrEqual(150);
    expect(new Set(delays).size).toBeGreaterThan(1);
  });
});
