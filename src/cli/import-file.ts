import { createReadStream } from "node:fs";
import { parse } from "csv-parse";
import { UsageError } from "./context.ts";
import { type FoundRecord, isObject } from "./import-record.ts";
import { splitJsonArray } from "./json-array.ts";

/** How the records of a file are written. */
export type Shape =
  /** One JSON object in each line. */
  | "ndjson"
  | "csv"
  /** One JSON text with the records in a list: as a whole, or by the name `users`. */
  | "json";

/** A file that is read from its beginning to its end, in bounded memory. */
export interface ImportFile {
  readonly records: AsyncIterable<FoundRecord>;
  /** How many bytes have been read so far. */
  bytesRead(): number;
}

/** The most that one record may hold, far more than a row of an import may. */
const RECORD_CHARACTERS_MAX = 1024 * 1024;

/** Opens a file. Reading it fails where it does not exist. */
export function openImportFile(path: string, shape: Shape): ImportFile {
  const stream = createReadStream(path);
  const text = (): AsyncIterable<string> => stream.setEncoding("utf8");
  const readers = {
    ndjson: () => readLines(text()),
    csv: () => readCsv(stream),
    json: () => readArray(text()),
  };
  return { records: readers[shape](), bytesRead: () => stream.bytesRead };
}

/** Tells the shape of a file by its name, unless its format has but one. */
export function shapeOf(path: string, usual: Shape): Shape {
  if (/\.csv$/i.test(path)) return "csv";
  if (/\.(ndjson|jsonl)$/i.test(path)) return "ndjson";
  return usual;
}

async function* readLines(chunks: AsyncIterable<string>): AsyncGenerator<FoundRecord> {
  let [line, rest, isTooLong] = [0, "", false];
  const take = (text: string): FoundRecord | undefined => {
    line += 1;
    const whole = isTooLong ? undefined : text.trim();
    isTooLong = false;
    if (whole === undefined) return { line, problem: "is too long" };
    return whole === "" ? undefined : parseRecord(line, whole);
  };
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const text of lines) {
      const found = take(text);
      if (found) yield found;
    }
    if (rest.length > RECORD_CHARACTERS_MAX) [rest, isTooLong] = ["", true];
  }
  const last = take(rest);
  if (last) yield last;
}

async function* readArray(chunks: AsyncIterable<string>): AsyncGenerator<FoundRecord> {
  for await (const { line, text } of splitJsonArray(chunks, "users", RECORD_CHARACTERS_MAX)) {
    yield text === undefined ? { line, problem: "is too long" } : parseRecord(line, text);
  }
}

function parseRecord(line: number, text: string): FoundRecord {
  try {
    const record: unknown = JSON.parse(text.replace(/^\uFEFF/, ""));
    return isObject(record) ? { line, record } : { line, problem: "is no JSON object" };
  } catch {
    return { line, problem: "is no JSON" };
  }
}

/** A line with more or fewer values than columns is refused by itself. */
async function* readCsv(file: NodeJS.ReadableStream): AsyncGenerator<FoundRecord> {
  const parser = parse({
    bom: true,
    info: true,
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: RECORD_CHARACTERS_MAX,
  });
  file.once("error", (error: Error) => parser.destroy(error));
  let columns: readonly string[] | undefined;
  let line = 1;
  const found = file.pipe(parser) as AsyncIterable<CsvRecord>;
  try {
    for await (const { record: values, info } of found) {
      const begin = line;
      line = info.lines + 1;
      if (columns === undefined) columns = values;
      else if (values.length !== columns.length) {
        yield { line: begin, problem: `has ${values.length} values for ${columns.length} columns` };
      } else yield { line: begin, record: toRecord(columns, values) };
    }
  } catch (error) {
    // An open quote swallows what follows, so that no later line can be told from it.
    if (!(error instanceof Error) || !("lines" in error)) throw error;
    throw new UsageError(`the CSV cannot be read beyond line ${line}: ${error.message}`);
  }
}

interface CsvRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

function toRecord(columns: readonly string[], values: readonly string[]) {
  return Object.fromEntries(columns.map((column, n) => [column.trim(), values[n] ?? ""]));
}
