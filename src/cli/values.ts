import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";

/** Writes a point in time, to the second, in UTC; absent: undefined. */
export function timeText(time: Timestamp | undefined): string | undefined {
  if (!time) return undefined;
  return timestampDate(time)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, " UTC");
}

/** Writes a list in one line. */
export function listText(values: readonly string[]): string {
  return values.join(", ");
}

/** Writes whether something is so. */
export function yesOrNo(value: boolean): string {
  return value ? "yes" : "no";
}
