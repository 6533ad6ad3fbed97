/** A table of an app, whose name may be any that PostgreSQL allows. */
export interface AppTableName {
  readonly schema: string;
  readonly table: string;
  /** Both, quoted for a statement. */
  readonly quoted: string;
}

/** What PostgreSQL keeps of a name; it would cut off the rest without a word. */
const NAME_BYTES_MAX = 63;
const PART = `"(?:[^"]|"")+"|[^".]+`;
const TABLE = new RegExp(`^(?:(${PART})\\.)?(${PART})$`);

/**
 * Reads `schema.table` or `table`, which is of `public`. Names are taken as they are written,
 * capitals included; one with a dot in it stands in double quotes.
 *
 * @throws {TypeError} where it is no such name.
 */
export function readAppTableName(text: string): AppTableName {
  const [match, schema = "public", table = ""] = TABLE.exec(text) ?? [];
  if (!match) throw new TypeError(`${text} is no table: write it as schema.table`);
  return toAppTableName(unquote(schema), unquote(table));
}

/** Names a table by its parts. @throws {TypeError} where one is no name. */
export function toAppTableName(schema: string, table: string): AppTableName {
  return { schema, table, quoted: `${quoteName(schema)}.${quoteName(table)}` };
}

/**
 * Quotes a name for a statement, whatever is in it (PostgreSQL §4.1.1).
 *
 * @throws {TypeError} where PostgreSQL has no such names.
 */
export function quoteName(name: string): string {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > NAME_BYTES_MAX || name.includes("\0")) {
    throw new TypeError(`"${name}" is no name: it must have 1 to ${NAME_BYTES_MAX} bytes`);
  }
  return `"${name.replaceAll('"', '""')}"`;
}

function unquote(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
}
