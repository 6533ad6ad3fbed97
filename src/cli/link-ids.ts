import { createHash } from "node:crypto";
import type { LinkRun } from "./link-log.ts";

const TIME_BYTES = 6;

/**
 * Makes the id of the User that a run creates for a row: a UUIDv7 of the time at which the run
 * began, whose other bits follow from run and row.
 *
 * It is the same each time, so that a run that was killed between Signet's commit and its own
 * still knows whom it has created.
 */
export function newUserIdOf({ runId, startTime }: LinkRunName, rowId: string): string {
  const bytes = createHash("sha256").update(`${runId}\n${rowId}`).digest().subarray(0, 16);
  bytes.writeUIntBE(startTime.getTime(), 0, TIME_BYTES);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6); // Version 7 (RFC 9562 §5.7).
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** What tells a run from all others. */
export type LinkRunName = Pick<LinkRun, "runId" | "startTime">;
