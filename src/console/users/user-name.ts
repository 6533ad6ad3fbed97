import type { User } from "../../../gen/signet/v1/user_pb.ts";

/** What to call a User: a tombstone and some that were imported have an id alone. */
export function userName(user: User): string {
  return user.email || user.username || user.id;
}
