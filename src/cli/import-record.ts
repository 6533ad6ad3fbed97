import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ImportRowSchema } from "../../gen/signet/v1/user_service_pb.ts";

/** A User as a file describes it, ready to be sent but for its number. */
export type RowInit = Omit<MessageInitShape<typeof ImportRowSchema>, "$typeName" | "row">;

/** A record of a file: JSON, or a line of CSV whose values are texts. */
export type FileRecord = Readonly<Record<string, unknown>>;

/** A record with the place that it was found at. */
export interface FoundRecord {
  /** Where it begins; the first line is 1. */
  readonly line: number;
  /** What it holds; absent: it could not be read. */
  readonly record?: FileRecord;
  /** Why it could not be read. */
  readonly problem?: string;
}

/** A record that cannot become a User; nothing else ends. */
export class RecordError extends Error {
  /** The field of the file; empty: the record as a whole. */
  readonly field: string;

  constructor(field: string, problem: string) {
    super(problem);
    this.name = "RecordError";
    this.field = field;
  }
}

/** Reads a text; empty where there is none. @throws {RecordError} for what is no text. */
export function textAt(record: FileRecord, field: string): string {
  const value = record[field] ?? "";
  if (typeof value === "string") return value;
  if (typeof value === "number") return String(value);
  throw new RecordError(field, "must be a text");
}

/** Reads a yes or no, as JSON and CSV have it; false where there is none. @throws {RecordError} */
export function flagAt(record: FileRecord, field: string): boolean {
  const value = record[field] ?? false;
  if (typeof value === "boolean") return value;
  const word = String(value).toLowerCase();
  if (["", "false", "f", "0"].includes(word)) return false;
  if (["true", "t", "1"].includes(word)) return true;
  throw new RecordError(field, "must be true or false");
}

/** Reads an object, also one that stands as JSON in a text. @throws {RecordError} */
export function objectAt(record: FileRecord, field: string): FileRecord | undefined {
  const value = record[field] ?? "";
  const found = typeof value === "string" ? parseJson(value, field) : value;
  if (found === undefined || found === null) return undefined;
  if (isObject(found)) return found;
  throw new RecordError(field, "must be an object");
}

/** Tells whether a value is an object with names. */
export function isObject(value: unknown): value is FileRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reads a time as a point in time; absent where there is none. @throws {RecordError} */
export function timeAt(record: FileRecord, field: string): Date | undefined {
  const text = textAt(record, field);
  if (text === "") return undefined;
  // PostgreSQL writes a space for the T, and zones without minutes.
  const time = Date.parse(text.replace(" ", "T").replace(/([+-]\d{2})$/, "$1:00"));
  if (!Number.isNaN(time)) return new Date(time);
  throw new RecordError(field, "must be a time such as 2026-01-31T12:00:00Z");
}

/** Reads a time in milliseconds since 1970; absent where there is none. @throws {RecordError} */
export function millisecondsAt(record: FileRecord, field: string): Date | undefined {
  const text = textAt(record, field);
  if (text === "") return undefined;
  if (/^\d{1,15}$/.test(text)) return new Date(Number(text));
  throw new RecordError(field, "must be a time in milliseconds");
}

/** Reads bytes in base64 of either alphabet. @throws {RecordError} */
export function bytesAt(record: FileRecord, field: string): Uint8Array<ArrayBuffer> {
  const text = textAt(record, field);
  if (/^[A-Za-z0-9+/_-]+={0,2}$/.test(text)) return new Uint8Array(Buffer.from(text, "base64"));
  throw new RecordError(field, "must be base64");
}

function parseJson(text: string, field: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new RecordError(field, "must be JSON");
  }
}
