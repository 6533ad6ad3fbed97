import { describe, expect, test } from "vitest";
import { describeGrowth, tellPhases } from "../../../bench/soak-report.ts";

const MEBIBYTE = 2 ** 20;

/** A reading each minute, of so many MiB. */
function readings(count: number, mebibytesAt: (minute: number) => number) {
  return Array.from({ length: count }, (_, minute) => ({
    phase: "at half load",
    residentBytes: mebibytesAt(minute) * MEBIBYTE,
    atMs: minute * 60_000,
  }));
}

describe("the growth of memory", () => {
  test("is flat where it stays, whatever the first quarter was", () => {
    const growth = describeGrowth(readings(61, (minute) => (minute < 10 ? 100 + minute : 200)));

    expect(growth.minutes).toBe(60);
    expect(growth.mebibytesPerHour).toBeCloseTo(0, 6);
    expect(growth.flatness).toBeCloseTo(1, 6);
    expect(growth.mebibytesMax).toBe(200);
  });

  test("is its slope where it leaks", () => {
    const growth = describeGrowth(readings(61, (minute) => 100 + minute));

    expect(growth.mebibytesPerHour).toBeCloseTo(60, 6);
    expect(growth.flatness).toBeGreaterThan(1.1);
    expect(
      tellPhases(
        readings(1, () => 100),
        growth,
      ),
    ).toContain("60.0 MiB an hour");
  });
});
