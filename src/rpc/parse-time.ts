import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { invalidField } from "../model/failure.ts";

const [TIME_MIN, TIME_MAX] = [new Date("0001-01-01T00:00:00Z"), new Date("9999-12-31T23:59:59Z")];

/**
 * Reads a time. A Timestamp is of the years 1 to 9999; the message would hold others too, and some
 * that no Date holds.
 *
 * @throws {Failure} `invalid_field`, naming `field`.
 */
export function parseTime(time: Timestamp, field: string): Date {
  const date = timestampDate(time);
  if (date >= TIME_MIN && date <= TIME_MAX) return date;
  throw invalidField(field, "must be a time of the years 1 to 9999");
}
