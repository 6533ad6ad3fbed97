import { isDeepStrictEqual } from "node:util";
import type { UserChangeKind } from "../model/change.ts";
import type { User } from "../model/user.ts";

/** What an administrator may change, and how the contract calls it. */
const FIELDS = {
  email: "email",
  emailVerified: "email_verified",
  username: "username",
  displayName: "display_name",
  pictureUrl: "picture_url",
  locale: "locale",
  roles: "roles",
  externalId: "external_id",
  metadata: "metadata",
  deletionProtected: "deletion_protected",
} as const satisfies Partial<Record<keyof User, string>>;

/** Names the fields that differ, as the audit log has them. */
export function changedFields(before: User, after: User): string[] {
  return Object.entries(FIELDS)
    .filter(([name]) => differs(before, after, name as keyof typeof FIELDS))
    .map(([, field]) => field);
}

/** Names what an update changes, the weightiest first; nothing if it changes nothing. */
export function changesBetween(before: User, after: User): UserChangeKind[] {
  const changed = (name: keyof typeof FIELDS) => differs(before, after, name);
  const kinds: UserChangeKind[] = [];
  if (changed("roles")) kinds.push("user_roles_changed");
  if (changed("email")) kinds.push("user_email_changed");
  // Of a new address its own change says whether it is verified.
  const hasEmail = !changed("email");
  if (hasEmail && !before.emailVerified && after.emailVerified) kinds.push("user_email_verified");
  const unverified = hasEmail && before.emailVerified && !after.emailVerified;
  if (unverified || PROFILE.some(changed)) kinds.push("user_updated");
  return kinds;
}

const PROFILE = [
  "username",
  "displayName",
  "pictureUrl",
  "locale",
  "externalId",
  "metadata",
  "deletionProtected",
] as const;

/** The database keeps no order of the names in metadata, and so the order makes no difference. */
function differs(before: User, after: User, name: keyof typeof FIELDS): boolean {
  return !isDeepStrictEqual(before[name], after[name]);
}
