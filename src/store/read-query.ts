import type { Connection, QueryConfig, QueryResultRow } from "pg";

/** Returns what reads the text of a value of a type, by the type's number. */
export type ParserOf = (dataTypeID: number, format: "text") => (text: string) => unknown;

type Callback = (error: Error | null, rows: QueryResultRow[]) => void;

/** What {@link createReadQuery} sends. */
export interface ReadQueryOptions {
  readonly siteId: string;
  readonly statement: QueryConfig;
  readonly keepsStatements: boolean;
  readonly parserOf: ParserOf;
  readonly callback: Callback;
}

interface Field {
  readonly name: string;
  readonly dataTypeID: number;
}

interface Column {
  readonly name: string;
  readonly parse: (text: string) => unknown;
}

/**
 * Local to the transaction, as everywhere: with its end, at the Sync, both are as they were. The
 * second is there so that nothing that is called a read can write.
 */
const SITE_STATEMENT = `
  select set_config('signet.site_id', $1, true), set_config('transaction_read_only', 'on', true)`;

/** One name for each text, in the order in which they come; texts are those of the program. */
const names = new Map<string, string>();
/** What each connection has prepared: the columns of each statement, by its text. */
const prepared = new WeakMap<Connection, Map<string, readonly Column[]>>();

/**
 * Makes a query for `pg` that names the Site and runs one statement, with one Sync behind both.
 *
 * Until a Sync, statements of the extended protocol belong to one transaction (PostgreSQL,
 * "Pipelining" in its chapter on the protocol): so the Site that the first sets holds for the
 * second, and for nothing after it. Without it row-level security makes the second fail.
 *
 * A statement counts as prepared only once it has answered; after an error it is closed, which is
 * allowed for one that does not exist, and prepared again.
 */
export function createReadQuery(options: ReadQueryOptions) {
  const { statement, siteId, keepsStatements, parserOf } = options;
  const rows: QueryResultRow[] = [];
  let columns: readonly Column[] | undefined;
  let known: Map<string, readonly Column[]> | undefined;
  let isNamingSite = true;

  function send(connection: Connection, text: string, values: readonly unknown[]): void {
    const name = keepsStatements ? nameOf(text) : "";
    const columnsKnown = keepsStatements ? known?.get(text) : undefined;
    if (columnsKnown === undefined) {
      if (name !== "") connection.close({ type: "S", name }, true);
      connection.parse({ name, text, types: [] }, true);
    }
    connection.bind({ statement: name, values: values.map(toText) }, true);
    if (text !== SITE_STATEMENT) {
      columns = columnsKnown;
      if (columns === undefined) connection.describe({ type: "P", name: "" }, true);
    }
    connection.execute({}, true);
  }

  function remember(): void {
    if (!keepsStatements || !columns) return;
    known?.set(SITE_STATEMENT, []).set(statement.text, columns);
  }

  return {
    /** `pg` puts its own in place, for its timeout. */
    callback: options.callback,

    submit(connection: Connection): void {
      known = prepared.get(connection) ?? new Map();
      prepared.set(connection, known);
      connection.stream.cork();
      try {
        send(connection, SITE_STATEMENT, [siteId]);
        send(connection, statement.text, statement.values ?? []);
        connection.sync();
      } finally {
        connection.stream.uncork();
      }
    },
    handleRowDescription({ fields }: { readonly fields: readonly Field[] }): void {
      columns = fields.map(({ name, dataTypeID }) => ({
        name,
        parse: parserOf(dataTypeID, "text"),
      }));
    },
    handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
      if (!isNamingSite && columns) rows.push(toRow(columns, fields));
    },
    handleCommandComplete(): void {
      isNamingSite = false;
    },
    handleError(error: Error): void {
      known?.clear();
      this.callback(error, rows);
    },
    handleReadyForQuery(): void {
      remember();
      this.callback(null, rows);
    },
  };
}

function nameOf(text: string): string {
  const name = names.get(text) ?? `signet_read_${names.size}`;
  names.set(text, name);
  return name;
}

function toRow(columns: readonly Column[], fields: readonly (string | null)[]): QueryResultRow {
  const row: QueryResultRow = {};
  for (const [n, { name, parse }] of columns.entries()) {
    const text = fields[n] ?? null;
    row[name] = text === null ? null : parse(text);
  }
  return row;
}

/** Reads take ids, names and numbers, and lists of such. */
function toText(value: unknown): string | Buffer | null {
  if (value === null || Buffer.isBuffer(value)) return value;
  if (Array.isArray(value)) return `{${value.map(toElement).join(",")}}`;
  if (typeof value === "string" || typeof value === "number") return `${value}`;
  if (value instanceof Date) return value.toISOString();
  throw new TypeError(`a read takes no ${typeof value}`);
}

function toElement(value: unknown): string {
  return `"${`${toText(value)}`.replaceAll(/["\\]/g, "\\$&")}"`;
}
