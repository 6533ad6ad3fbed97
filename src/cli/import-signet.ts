import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ImportRowSchema } from "../../gen/signet/v1/user_service_pb.ts";
import {
  type FileRecord,
  flagAt,
  objectAt,
  RecordError,
  type RowInit,
  textAt,
  timeAt,
} from "./import-record.ts";

/** Reads a User as `signet user export` writes it: ImportRow in the JSON form of protobuf. */
export function fromSignet(record: FileRecord): RowInit {
  try {
    const { $typeName, row, ...init } = fromJson(ImportRowSchema, { ...record } as JsonObject);
    return init;
  } catch (error) {
    throw toRecordError(error);
  }
}

/** Protobuf names the field within its message. */
function toRecordError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const [, unknown] = /key "([^"]*)" is unknown/.exec(error.message) ?? [];
  if (unknown !== undefined) return new RecordError(unknown, "is no field of an import");
  const field = /field signet\.v1\.[\w.]+?\.(\w+)|key "(\w+)"/.exec(error.message);
  return new RecordError(field?.[1] ?? field?.[2] ?? "", error.message);
}

/** The columns of Signet's own CSV. */
export const CSV_COLUMNS = [
  "id",
  "external_id",
  "email",
  "email_verified",
  "username",
  "display_name",
  "picture_url",
  "locale",
  "roles",
  "metadata",
  "password_hash",
  "disabled",
  "create_time",
];

/** Reads a line of CSV, whose columns have the names of the fields; roles stand side by side. */
export function fromSignetCsv(record: FileRecord): RowInit {
  const unknown = Object.keys(record).find((name) => !CSV_COLUMNS.includes(name));
  if (unknown !== undefined) throw new RecordError(unknown, "is no column of an import");
  const metadata = objectAt(record, "metadata");
  const hash = textAt(record, "password_hash");
  const created = timeAt(record, "create_time");
  return {
    id: textAt(record, "id"),
    externalId: textAt(record, "external_id"),
    email: textAt(record, "email"),
    emailVerified: flagAt(record, "email_verified"),
    username: textAt(record, "username"),
    displayName: textAt(record, "display_name"),
    pictureUrl: textAt(record, "picture_url"),
    locale: textAt(record, "locale"),
    roles: textAt(record, "roles")
      .split(/[\s;,]+/)
      .filter(Boolean),
    disabled: flagAt(record, "disabled"),
    ...(metadata && { metadata: metadata as NonNullable<RowInit["metadata"]> }),
    ...(hash && { passwordHash: { scheme: { case: "encoded", value: hash } } }),
    ...(created && { createTime: timestampFromDate(created) }),
  };
}
