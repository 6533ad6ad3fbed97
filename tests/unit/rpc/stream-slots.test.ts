import { describe, expect, test } from "vitest";
import { Failure } from "../../../src/model/failure.ts";
import { newId, type SiteId } from "../../../src/model/id.ts";
import { createStreamSlots } from "../../../src/rpc/stream-slots.ts";

const SITE = newId<SiteId>();

const OPTIONS = {
  eachMax: 2,
  siteMax: 3,
  totalMax: 4,
  refusal: "too_many_streams",
  retryDelayMs: 100,
} as const;

describe("the places for streams", () => {
  test("are so many for each name, and so many in all", () => {
    const slots = createStreamSlots({ ...OPTIONS, siteMax: 4, totalMax: 3 });
    slots.take(SITE, "a");
    slots.take(SITE, "a");

    expect(() => slots.take(SITE, "a")).toThrow(Failure);
    slots.take(SITE, "b");
    expect(() => slots.take(SITE, "c")).toThrow(Failure);
  });

  test("are never all one Site's, however many names its keys give themselves", () => {
    const slots = createStreamSlots(OPTIONS);
    const [first] = ["a", "b", "c"].map((name) => slots.take(SITE, name));

    expect(() => slots.take(SITE, "d")).toThrow(Failure);
    const other = newId<SiteId>();
    slots.take(other, "e");
    expect(() => slots.take(other, "f")).toThrow(Failure);
    first?.();
    slots.take(SITE, "d");
  });

  test("are free again when given back, once however often that is said", () => {
    const slots = createStreamSlots(OPTIONS);
    const giveBack = slots.take(SITE, "a");
    slots.take(SITE, "a");
    giveBack();
    giveBack();
    slots.take(SITE, "a");

    expect(() => slots.take(SITE, "a")).toThrow(Failure);
  });

  test("send those away who find none, each for another time", () => {
    const slots = createStreamSlots({ ...OPTIONS, eachMax: 0 });
    const delays = Array.from({ length: 20 }, () => {
      try {
        slots.take(SITE, "a");
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
