import { fromAuth0 } from "./import-auth0.ts";
import { openImportFile, type Shape, shapeOf } from "./import-file.ts";
import { fromFirebase } from "./import-firebase.ts";
import { fromKeycloak } from "./import-keycloak.ts";
import { type FileRecord, type FoundRecord, RecordError, type RowInit } from "./import-record.ts";
import { fromSignet, fromSignetCsv } from "./import-signet.ts";
import { fromSupabase } from "./import-supabase.ts";

/** The systems whose files can be read. */
export const FORMATS = ["signet", "auth0", "keycloak", "firebase", "supabase"] as const;

/** One of {@link FORMATS}. */
export type Format = (typeof FORMATS)[number];

/** A record of a file as it goes to Signet, or why it does not. */
export interface FileRow {
  /** The number among the records of the file, from 1. */
  readonly number: bigint;
  readonly line: number;
  readonly record: FileRecord;
  readonly row: RowInit | undefined;
  readonly refusal: { readonly field: string; readonly problem: string } | undefined;
}

/** Users that are read from a file. */
export interface FileRows {
  readonly rows: AsyncGenerator<FileRow>;
  bytesRead(): number;
}

/** How a system writes its files where their names do not tell. */
const USUAL_SHAPE: Readonly<Record<Format, Shape>> = {
  signet: "ndjson",
  auth0: "ndjson",
  keycloak: "json",
  firebase: "json",
  supabase: "ndjson",
};

/** Opens a file; records that begin before a line are passed over. */
export function readFileRows(path: string, format: Format, fromLine: number): FileRows {
  const shape = shapeOf(path, USUAL_SHAPE[format]);
  const file = openImportFile(path, shape);
  const convert = converterOf(format, shape);
  return { rows: convertAll(file.records, convert, fromLine), bytesRead: file.bytesRead };
}

type Convert = (record: FileRecord) => RowInit;

function converterOf(format: Format, shape: Shape): Convert {
  switch (format) {
    case "signet":
      return shape === "csv" ? fromSignetCsv : fromSignet;
    case "auth0":
      return fromAuth0;
    case "keycloak":
      return fromKeycloak;
    case "firebase":
      return fromFirebase;
    case "supabase":
      return fromSupabase;
  }
}

async function* convertAll(
  found: AsyncIterable<FoundRecord>,
  convert: Convert,
  fromLine: number,
): AsyncGenerator<FileRow> {
  let number = 0n;
  for await (const one of found) {
    number += 1n;
    if (one.line >= fromLine) yield { number, line: one.line, ...convertOne(one, convert) };
  }
}

function convertOne({ record, problem }: FoundRecord, convert: Convert) {
  if (!record) return refused({}, "", problem ?? "cannot be read");
  try {
    return { record, row: convert(record), refusal: undefined };
  } catch (error) {
    if (error instanceof RecordError) return refused(record, error.field, error.message);
    throw error;
  }
}

function refused(record: FileRecord, field: string, problem: string) {
  return { record, row: undefined, refusal: { field, problem } };
}
