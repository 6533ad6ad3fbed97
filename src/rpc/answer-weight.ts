import type { Site } from "../model/site.ts";
import type { User } from "../model/user.ts";

const ANSWER_BYTES_MAX = 2 * 1024 * 1024;
const USER_BYTES_BASE = 4 * 1024; // All fields of a User but the metadata.

/** Splits Users into those that fit into an answer and those to be asked for again. */
export function fitAnswer(found: readonly User[]): {
  readonly users: readonly User[];
  readonly remaining: readonly User[];
} {
  let bytes = 0;
  const end = found.findIndex((user) => {
    bytes += USER_BYTES_BASE + (user.metadata ? JSON.stringify(user.metadata).length : 0);
    return bytes > ANSWER_BYTES_MAX;
  });
  if (end < 1) return { users: found, remaining: [] };
  return { users: found.slice(0, end), remaining: found.slice(end) };
}

/** Returns the Sites that fit into an answer, the first at least. */
export function fitSites(found: readonly Site[]): readonly Site[] {
  let bytes = 0;
  const end = found.findIndex((site) => {
    bytes += Buffer.byteLength(JSON.stringify(site));
    return bytes > ANSWER_BYTES_MAX;
  });
  return end < 0 ? found : found.slice(0, Math.max(end, 1));
}
