import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";

/** Reads a time as milliseconds since 1970; undefined: there is none. */
export function millisecondsOf(time: Timestamp | undefined): number | undefined {
  return time && timestampMs(time);
}

/** Writes a time for people, to the minute, in their own zone. */
export function formatMoment(time: Timestamp, language: string): string {
  const style = { dateStyle: "medium", timeStyle: "short" } as const;
  return new Intl.DateTimeFormat(language, style).format(timestampMs(time));
}

/** Writes a time for people, to the second, in their own zone. */
export function formatExactly(time: Timestamp, language: string): string {
  const style = { dateStyle: "medium", timeStyle: "medium" } as const;
  return new Intl.DateTimeFormat(language, style).format(timestampMs(time));
}

const UNITS = [
  { unit: "day", ms: 86_400_000 },
  { unit: "hour", ms: 3_600_000 },
  { unit: "minute", ms: 60_000 },
  { unit: "second", ms: 1_000 },
  { unit: "millisecond", ms: 1 },
] as const;

/** Writes a length of time in the largest unit that it fills. */
export function formatDuration(milliseconds: number, language: string): string {
  const found = UNITS.find(({ ms }) => milliseconds >= ms) ?? { unit: "millisecond", ms: 1 };
  const style = { style: "unit", unit: found.unit, unitDisplay: "short" } as const;
  const digits = { maximumFractionDigits: found.unit === "millisecond" ? 0 : 1 };
  return new Intl.NumberFormat(language, { ...style, ...digits }).format(milliseconds / found.ms);
}

/** Writes a number for people. */
export function formatCount(count: bigint | number, language: string): string {
  return new Intl.NumberFormat(language).format(count);
}
