import { invalidField } from "../model/failure.ts";
import { LIMITS } from "../model/limits.ts";

/** Reads how long a call may wait for something. @throws {Failure} `invalid_field` */
export function parseWait(seconds: number): number {
  if (seconds >= 0 && seconds <= LIMITS.pollSecondsMax) return seconds;
  throw invalidField("wait_seconds", `must be from 0 to ${LIMITS.pollSecondsMax}`);
}
