import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type FileRecord,
  flagAt,
  objectAt,
  RecordError,
  type RowInit,
  textAt,
  timeAt,
} from "./import-record.ts";

/**
 * Reads a User of Auth0: a line of a bulk export, or of the file with password hashes that its
 * support hands out. What the second says belongs to the User of the first.
 */
export function fromAuth0(record: FileRecord): RowInit {
  const created = timeAt(record, "created_at");
  const hash = textAt(record, "passwordHash") || textAt(record, "password_hash");
  const metadata = objectAt(record, "user_metadata");
  return {
    externalId: externalIdOf(record),
    email: textAt(record, "email"),
    emailVerified: flagAt(record, "email_verified"),
    username: textAt(record, "username"),
    displayName: displayNameOf(record),
    pictureUrl: httpsOrNone(textAt(record, "picture")),
    locale: textAt(record, "locale"),
    disabled: flagAt(record, "blocked"),
    ...(metadata && { metadata: metadata as NonNullable<RowInit["metadata"]> }),
    ...(hash && { passwordHash: { scheme: { case: "encoded", value: hash } } }),
    ...(created && { createTime: timestampFromDate(created) }),
  };
}

function externalIdOf(record: FileRecord): string {
  const userId = textAt(record, "user_id");
  if (userId !== "") return userId;
  const id = objectAt(record, "_id");
  const objectId = id ? textAt(id, "$oid") : "";
  if (objectId !== "") return `auth0|${objectId}`;
  throw new RecordError("user_id", "is required");
}

/** Auth0 names whoever has no name by the address. */
function displayNameOf(record: FileRecord): string {
  const name = textAt(record, "name");
  return name === textAt(record, "email") ? "" : name;
}

/** A picture is no reason to leave its User out. */
function httpsOrNone(url: string): string {
  return url.startsWith("https://") ? url : "";
}
