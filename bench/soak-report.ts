/** How much a service held of the memory at one moment. */
export interface MemoryReading {
  readonly phase: string;
  readonly residentBytes: number;
  /** What of the heap is left when garbage is collected right after; absent: nobody has asked. */
  readonly heapBytes?: number;
  readonly atMs: number;
}

/** How memory went over a time. */
export interface MemoryGrowth {
  readonly minutes: number;
  /** Of the straight line that lies nearest to the readings after the first quarter. */
  readonly mebibytesPerHour: number;
  /** The mean of the last quarter as a multiple of that of the second: 1 is flat. */
  readonly flatness: number;
  readonly mebibytesMax: number;
}

const MEBIBYTE = 2 ** 20;
const HOUR_MS = 3_600_000;

/** Describes readings by what comes after the first quarter, in which caches fill. */
export function describeGrowth(readings: readonly MemoryReading[]): MemoryGrowth {
  const quarter = Math.floor(readings.length / 4);
  const settled = readings.slice(quarter);
  const bytes = (part: readonly MemoryReading[]) =>
    mean(part.map(({ residentBytes }) => residentBytes));
  const [second, last] = [settled.slice(0, quarter || 1), settled.slice(-(quarter || 1))];
  return {
    minutes: ((readings.at(-1)?.atMs ?? 0) - (readings[0]?.atMs ?? 0)) / 60_000,
    mebibytesPerHour: (slopeOf(settled) * HOUR_MS) / MEBIBYTE,
    flatness: bytes(last) / bytes(second),
    mebibytesMax: Math.max(...readings.map(({ residentBytes }) => residentBytes)) / MEBIBYTE,
  };
}

/** Writes what a soak has found, for people. */
export function tellPhases(readings: readonly MemoryReading[], growth: MemoryGrowth): string {
  const lines = readings.map(({ phase, residentBytes, heapBytes = Number.NaN }) => {
    const sizes = [residentBytes, heapBytes].map((bytes) => `${Math.round(bytes / MEBIBYTE)} MiB`);
    return `| ${[phase, ...sizes].join(" | ")} |`;
  });
  const { minutes, mebibytesPerHour, flatness, mebibytesMax } = growth;
  return [
    "| when | memory | live heap |",
    "| --- | --- | --- |",
    ...lines,
    "",
    `At half load for ${minutes.toFixed(1)} min: ${mebibytesPerHour.toFixed(1)} MiB an hour, ` +
      `the last quarter ${flatness.toFixed(2)} of the second, ` +
      `at most ${mebibytesMax.toFixed(0)} MiB.`,
  ].join("\n");
}

/** Bytes a millisecond, by least squares; 0 for fewer than two readings. */
function slopeOf(readings: readonly MemoryReading[]): number {
  const atMean = mean(readings.map(({ atMs }) => atMs));
  const bytesMean = mean(readings.map(({ residentBytes }) => residentBytes));
  let [covariance, variance] = [0, 0];
  for (const { atMs, residentBytes } of readings) {
    covariance += (atMs - atMean) * (residentBytes - bytesMean);
    variance += (atMs - atMean) ** 2;
  }
  return variance === 0 ? 0 : covariance / variance;
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
