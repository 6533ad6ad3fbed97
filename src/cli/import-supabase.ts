import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type FileRecord,
  objectAt,
  RecordError,
  type RowInit,
  textAt,
  timeAt,
} from "./import-record.ts";

/**
 * Reads a row of Supabase's table `auth.users`, as CSV or JSON. Its id stays the id of the User,
 * which the app's own tables refer to.
 */
export function fromSupabase(record: FileRecord): RowInit {
  if (textAt(record, "deleted_at")) throw new RecordError("deleted_at", "the User is deleted");
  const created = timeAt(record, "created_at");
  const bannedUntil = bannedUntilOf(record);
  const profile = objectAt(record, "raw_user_meta_data") ?? {};
  const hash = textAt(record, "encrypted_password");
  const picture = anyText(profile, ["avatar_url", "picture"]);
  return {
    id: textAt(record, "id"),
    email: textAt(record, "email"),
    emailVerified: textAt(record, "email_confirmed_at") !== "",
    displayName: anyText(profile, ["full_name", "name"]),
    pictureUrl: picture.startsWith("https://") ? picture : "",
    disabled: bannedUntil > Date.now(),
    ...(hash && { passwordHash: { scheme: { case: "encoded", value: hash } } }),
    ...(created && { createTime: timestampFromDate(created) }),
  };
}

function bannedUntilOf(record: FileRecord): number {
  if (textAt(record, "banned_until") === "infinity") return Number.POSITIVE_INFINITY;
  return timeAt(record, "banned_until")?.getTime() ?? 0;
}

function anyText(profile: FileRecord, names: readonly string[]): string {
  const found = names.map((name) => profile[name]).find((value) => typeof value === "string");
  return typeof found === "string" ? found : "";
}
