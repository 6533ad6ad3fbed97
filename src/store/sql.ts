import type { QueryConfig, QueryResult, QueryResultRow } from "pg";

/** What runs a statement for its rows alone. */
export interface Reader {
  query<Row extends QueryResultRow = QueryResultRow>(
    statement: QueryConfig,
  ): Promise<Pick<QueryResult<Row>, "rows">>;
}

/** What runs a statement: a transaction, or the {@link Database} outside of any Site. */
export interface Queryable extends Reader {
  query<Row extends QueryResultRow = QueryResultRow>(
    statement: QueryConfig,
  ): Promise<QueryResult<Row>>;
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
export function sql(text: TemplateStringsArray, ...values: readonly unknown[]): QueryConfig {
  const parameters: unknown[] = [];
  return { text: join({ text, values }, parameters), values: parameters };
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
