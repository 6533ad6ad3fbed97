import type { QueryConfig, QueryResult, QueryResultRow } from "pg";

/** A statement with its parameters, as {@link sql}, {@link hot} and {@link indexed} write it. */
export interface Statement extends QueryConfig {
  /** Whether it stays prepared on its connection, and is planned without a look at its values. */
  readonly hot?: boolean;
  /** Whether it finds its rows by indexes alone, as {@link indexed} says. */
  readonly indexed?: boolean;
}

/** What runs a statement for its rows alone. */
export interface Reader {
  query<Row extends QueryResultRow = QueryResultRow>(
    statement: Statement,
  ): Promise<Pick<QueryResult<Row>, "rows">>;
}

/**
 * What runs a statement: a transaction, or the {@link Database} outside of any Site. A transaction
 * sends what is asked for at the same time in one round trip.
 */
export interface Queryable extends Reader {
  query<Row extends QueryResultRow = QueryResultRow>(
    statement: Statement,
  ): Promise<Pick<QueryResult<Row>, "rows" | "rowCount">>;
  /** What a transaction has for {@link enqueue}. */
  readonly enqueue?: (statement: Statement, toError?: ToError) => void;
}

/** Translates the error of a statement. */
export type ToError = (error: unknown) => unknown;

/**
 * Runs a statement whose answer nobody waits for: a transaction sends it together with the next
 * one, at the latest with its commit, which an error of it fails. So `toError` says what that is,
 * and the work must not catch it.
 */
export async function enqueue(
  db: Queryable,
  statement: Statement,
  toError: ToError = (error) => error,
): Promise<void> {
  if (db.enqueue) return db.enqueue(statement, toError);
  await db.query(statement).catch((error: unknown) => {
    throw toError(error);
  });
}

/** A piece of SQL that {@link sql} puts in place; made by {@link fragment} alone. */
export interface Fragment {
  readonly [fragmentParts]: Parts;
}

interface Parts {
  readonly text: TemplateStringsArray;
  readonly values: readonly unknown[];
}

const fragmentParts = Symbol("parts of the fragment");

/**
 * Writes one statement with its parameters in place:
 *
 *     sql`select id from users where id = ${id}`
 *
 * Every `${value}` becomes a `$n` parameter, so a value can never become SQL. Only a
 * {@link fragment}, such as a list of columns, is put in as text.
 */
export function sql(text: TemplateStringsArray, ...values: readonly unknown[]): Statement {
  const parameters: unknown[] = [];
  return { text: join({ text, values }, parameters), values: parameters };
}

/**
 * Does the same for a statement that calls run all the time, or that looks rows up by a whole key:
 * it stays prepared on its connection, and is planned without a look at its values.
 *
 * With a look at them, PostgreSQL takes a Site that has appeared since its last look at the table
 * for an empty one, any index that begins with `site_id` for as good as the one that has the whole
 * key, and reads all Users of the Site for each look-up.
 *
 * Not for a statement whose best plan depends on its values, such as the filter of a list.
 */
export function hot(text: TemplateStringsArray, ...values: readonly unknown[]): Statement {
  return { ...sql(text, ...values), hot: true };
}

/**
 * Writes a statement that finds its rows by indexes alone, such as a page of a list or what belongs
 * to several Users, however little PostgreSQL knows of the Site. It is planned anew each time, but
 * without a look at its values, and with no scan of a whole table and no sort where an index has
 * the order: a `limit` that is not known counts for a tenth of all there is, and sorting a Site of
 * mean size would often seem less than that.
 *
 * A condition that is to enter the index is a {@link fragment} that is there or not, and never
 * `$1 is null or …`; nor does one with `coalesce` enter, which PostgreSQL takes for leaky under
 * row-level security. Joins are nested loops, from what is given or found first to what has an
 * index for it; `lateral (… limit 1)` keeps that order. An `= any` counts as ten look-ups, which
 * may seem dearer than all rows of a Site of mean size.
 */
export function indexed(text: TemplateStringsArray, ...values: readonly unknown[]): Statement {
  return { ...sql(text, ...values), indexed: true };
}

/** Writes a piece of SQL that several statements share. Its values become parameters too. */
export function fragment(text: TemplateStringsArray, ...values: readonly unknown[]): Fragment {
  return { [fragmentParts]: { text, values } };
}

function join({ text, values }: Parts, parameters: unknown[]): string {
  let statement = text[0] ?? "";
  for (const [n, value] of values.entries()) {
    statement += isFragment(value)
      ? join(value[fragmentParts], parameters)
      : `$${parameters.push(value)}`;
    statement += text[n + 1] ?? "";
  }
  return statement;
}

function isFragment(value: unknown): value is Fragment {
  return typeof value === "object" && value !== null && fragmentParts in value;
}
