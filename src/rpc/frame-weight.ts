import type { UserChange } from "../model/change.ts";
import { LIMITS } from "../model/limits.ts";
import type { User } from "../model/user.ts";

/**
 * Returns the first of the changes that fit into one frame, at least one: 500 Users with all
 * the metadata that they may have would be more than an answer may hold.
 */
export function fitChanges(changes: readonly UserChange[]): readonly UserChange[] {
  return firstWithin(changes, ({ body }) => ENTRY_BYTES + (body?.length ?? 0));
}

/** Returns the first of the Users that fit into one frame, at least one. */
export function fitUsers(users: readonly User[]): readonly User[] {
  return firstWithin(users, userBytesMax);
}

const ENTRY_BYTES = 256; // Ids, times and what else is of fixed size.
const UTF8_BYTES_MAX = 3; // For each unit of UTF-16.
const METADATA_GROWTH_MAX = 6; // `0,` is 11 bytes of google.protobuf.Struct.

function userBytesMax(user: User): number {
  const { email, username, externalId, roles, origin } = user;
  const texts = [user.displayName, user.pictureUrl, user.locale, ...roles];
  const names = [email, username, externalId, origin?.source, origin?.sourceUserId];
  const units = [...texts, ...names].reduce((sum, text) => sum + 2 + (text?.length ?? 0), 0);
  const metadata = user.metadata ? JSON.stringify(user.metadata).length : 0;
  return ENTRY_BYTES + UTF8_BYTES_MAX * units + METADATA_GROWTH_MAX * metadata;
}

function firstWithin<T>(items: readonly T[], weigh: (item: T) => number): readonly T[] {
  let bytes = 0;
  const end = items.findIndex((item, n) => {
    bytes += weigh(item);
    return n > 0 && bytes > LIMITS.frameBytesMax;
  });
  return end === -1 ? items : items.slice(0, end);
}
