import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createTimeouts } from "../../../src/server/timeouts.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("times end each at its own time", () => {
  const timeouts = createTimeouts(1_000);
  const ended: string[] = [];

  timeouts.start(() => ended.push("first"));
  vi.advanceTimersByTime(400);
  timeouts.start(() => ended.push("second"));

  vi.advanceTimersByTime(599);
  expect(ended).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(ended).toEqual(["first"]);
  vi.advanceTimersByTime(400);
  expect(ended).toEqual(["first", "second"]);
});

test("a time that is stopped does not end, and those behind it do", () => {
  const timeouts = createTimeouts(1_000);
  const ended: string[] = [];

  const first = timeouts.start(() => ended.push("first"));
  vi.advanceTimersByTime(10);
  timeouts.start(() => ended.push("second"));
  timeouts.stop(first);

  vi.advanceTimersByTime(1_010);
  expect(ended).toEqual(["second"]);
});

test("a time begins anew after all others have ended", () => {
  const timeouts = createTimeouts(1_000);
  const ended: string[] = [];
  timeouts.start(() => ended.push("first"));
  vi.advanceTimersByTime(5_000);

  timeouts.start(() => ended.push("second"));

  vi.advanceTimersByTime(999);
  expect(ended).toEqual(["first"]);
  vi.advanceTimersByTime(1);
  expect(ended).toEqual(["first", "second"]);
});

test("one timer is enough for all", () => {
  const timeouts = createTimeouts(1_000);

  for (let n = 0; n < 1_000; n += 1) timeouts.start(() => undefined);

  expect(vi.getTimerCount()).toBe(1);
});
