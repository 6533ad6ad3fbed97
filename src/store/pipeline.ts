import type { Connection, PoolClient, QueryResultRow } from "pg";
import { toParameter } from "./parameter.ts";
import { isStalePlan } from "./postgres-errors.ts";
import type { Statement } from "./sql.ts";

/** Returns what reads the text of a value of a type, by the type's number. */
export type ParserOf = (dataTypeID: number, format: "text") => (text: string) => unknown;

/** How the statements of a connection are run. */
export interface PipelineOptions {
  /** Whether hot statements stay prepared, which a pooler in transaction mode forbids. */
  readonly keepsStatements: boolean;
  readonly parserOf: ParserOf;
}

/** What one statement has come to. */
export interface StatementResult {
  readonly rows: QueryResultRow[];
  readonly rowCount: number;
  /** What was done, in PostgreSQL's words, such as `INSERT 0 1`. */
  readonly tag: string;
}

/** How statements went; with an error, it is the one after the last result that has failed. */
export interface PipelineOutcome {
  readonly results: readonly StatementResult[];
  readonly error: Error | undefined;
}

/** Without results where `pg` has given up waiting, which it says by itself. */
type Callback = (error: Error | null, results?: readonly StatementResult[]) => void;

interface Field {
  readonly name: string;
  readonly dataTypeID: number;
}

/** How the rows of a statement are read. */
interface Shape {
  readonly columns: readonly { readonly name: string; readonly parse: (text: string) => unknown }[];
  /** Each row begins as a copy of it: a row that grows name by name costs twice the time. */
  readonly blank: QueryResultRow;
}

const NO_COLUMNS: Shape = { columns: [], blank: {} };

/**
 * Sends several statements in one round trip, with one Sync behind all.
 *
 * Until a Sync, statements of the extended protocol belong to one transaction, also where none
 * was begun, and those after one that fails are skipped (PostgreSQL, "Pipelining" in its chapter
 * on the protocol).
 */
export function runPipeline(
  client: PoolClient,
  statements: readonly Statement[],
  options: PipelineOptions,
): Promise<PipelineOutcome> {
  return new Promise((resolve) => {
    const settle: Callback = (error, results = []) =>
      resolve({ results, error: error ?? undefined });
    try {
      client.query(createPipeline(statements, options, settle));
    } catch (error) {
      settle(error as Error, []); // A parameter that cannot be written.
    }
  });
}

/** One name for each text, in the order in which they come; texts are those of the program. */
const names = new Map<string, string>();
/** What each connection has prepared: the shape of each statement, by its text. */
const prepared = new WeakMap<Connection, Map<string, Shape>>();

/**
 * Makes a query as `pg` takes it.
 *
 * A statement counts as prepared only once all have answered; before it is prepared it is closed,
 * which is allowed for one that does not exist.
 */
function createPipeline(
  statements: readonly Statement[],
  { keepsStatements, parserOf }: PipelineOptions,
  callback: Callback,
) {
  // Before anything is sent: half a message would leave the connection waiting for its end.
  const steps = statements.map(({ text, values = [], hot }) => ({
    text,
    name: keepsStatements && hot ? nameOf(text) : "",
    values: values.map(toParameter),
  }));
  const shapes: (Shape | undefined)[] = [];
  const results: StatementResult[] = [];
  let known = new Map<string, Shape>();
  let rows: QueryResultRow[] = [];
  let unreadable: Error | undefined;

  function send(connection: Connection, { text, name, values }: (typeof steps)[number]): void {
    const shape = name === "" ? undefined : known.get(text);
    shapes.push(shape);
    if (shape === undefined) {
      if (name !== "") connection.close({ type: "S", name }, true);
      connection.parse({ name, text, types: [] }, true);
    }
    connection.bind({ statement: name, values }, true);
    if (shape === undefined) connection.describe({ type: "P", name: "" }, true);
    connection.execute({}, true);
  }

  return {
    /** `pg` puts its own in place, for its timeout. */
    callback,

    submit(connection: Connection): void {
      known = prepared.get(connection) ?? known;
      prepared.set(connection, known);
      connection.stream.cork();
      try {
        for (const step of steps) send(connection, step);
        connection.sync();
      } finally {
        connection.stream.uncork();
      }
    },
    handleRowDescription({ fields }: { readonly fields: readonly Field[] }): void {
      shapes[results.length] = {
        columns: fields.map(({ name, dataTypeID }) => ({
          name,
          parse: parserOf(dataTypeID, "text"),
        })),
        blank: Object.fromEntries(fields.map(({ name }) => [name, null])),
      };
    },
    handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
      try {
        rows.push(toRow(shapes[results.length] ?? NO_COLUMNS, fields));
      } catch (error) {
        unreadable ??= error instanceof Error ? error : new Error(String(error));
      }
    },
    handleCommandComplete({ text }: { readonly text: string }): void {
      const rowCount = Number(text.slice(text.lastIndexOf(" ") + 1)); // NaN where nothing counts.
      results.push({ rows, rowCount, tag: text });
      rows = [];
    },
    handleError(error: Error): void {
      for (const { text } of steps) known.delete(text);
      if (isStalePlan(error)) known.clear();
      this.callback(error, results);
    },
    handleReadyForQuery(): void {
      for (const [n, { name, text }] of steps.entries()) {
        if (name !== "" && !known.has(text)) known.set(text, shapes[n] ?? NO_COLUMNS);
      }
      this.callback(unreadable ?? null, results);
    },
  };
}

function nameOf(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = `signet_${names.size}`;
  names.set(text, name);
  return name;
}

function toRow({ columns, blank }: Shape, fields: readonly (string | null)[]): QueryResultRow {
  const row = { ...blank };
  for (let n = 0; n < fields.length; n += 1) {
    const [column, text] = [columns[n], fields[n]];
    if (column && typeof text === "string") row[column.name] = column.parse(text);
  }
  return row;
}
