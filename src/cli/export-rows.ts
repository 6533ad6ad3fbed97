import { create, toJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { UserState } from "../../gen/signet/v1/user_pb.ts";
import {
  type ExportedUser,
  type ImportRow,
  ImportRowSchema,
} from "../../gen/signet/v1/user_service_pb.ts";
import { csvLine, withoutFormula } from "./csv.ts";
import { CSV_COLUMNS } from "./import-signet.ts";

/** The shapes in which Users are written to a file. */
export const EXPORT_FORMATS = ["ndjson", "csv"] as const;

/** One of {@link EXPORT_FORMATS}. */
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** What writes a file that `signet user import` reads. */
export interface ExportWriter {
  /** What stands before the Users. */
  readonly head: string;
  /** Writes a User as a line, with its end. */
  lineOf(exported: ExportedUser): string;
}

/** Creates what writes a file; with `guardsFormulas` its CSV is for spreadsheets alone. */
export function createExportWriter(format: ExportFormat, guardsFormulas: boolean): ExportWriter {
  if (format === "ndjson") {
    const lineOf = (exported: ExportedUser) =>
      `${JSON.stringify(toJson(ImportRowSchema, toRow(exported)))}\n`;
    return { head: "", lineOf };
  }
  const guard = guardsFormulas ? withoutFormula : (value: string) => value;
  return {
    head: csvLine(COLUMNS),
    lineOf: (exported) => csvLine(toValues(toRow(exported)).map(guard)),
  };
}

/** Hashes of Signet's own have more to them than a text. */
const COLUMNS = CSV_COLUMNS.filter((column) => column !== "password_hash");

function toRow({ user, passwordHash }: ExportedUser): ImportRow {
  return create(ImportRowSchema, {
    id: user?.id ?? "",
    externalId: user?.externalId ?? "",
    email: user?.email ?? "",
    emailVerified: user?.emailVerified ?? false,
    username: user?.username ?? "",
    displayName: user?.displayName ?? "",
    pictureUrl: user?.pictureUrl ?? "",
    locale: user?.locale ?? "",
    roles: user?.roles ?? [],
    disabled: user?.state === UserState.DISABLED,
    ...(user?.metadata && { metadata: user.metadata }),
    ...(user?.createTime && { createTime: user.createTime }),
    ...(passwordHash && { passwordHash }),
  });
}

function toValues(row: ImportRow): string[] {
  const values: Readonly<Record<string, string>> = {
    id: row.id,
    external_id: row.externalId,
    email: row.email,
    email_verified: String(row.emailVerified),
    username: row.username,
    display_name: row.displayName,
    picture_url: row.pictureUrl,
    locale: row.locale,
    roles: row.roles.join(" "),
    metadata: row.metadata ? JSON.stringify(row.metadata) : "",
    disabled: String(row.disabled),
    create_time: row.createTime ? isoTime(row.createTime) : "",
  };
  return COLUMNS.map((column) => values[column] ?? "");
}

function isoTime(time: Timestamp): string {
  return timestampDate(time).toISOString();
}
