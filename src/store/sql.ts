import type { QueryConfig, QueryResult, QueryResultRow } from "pg";

/** What runs a statement: a transaction, or the {@link Database} outside of any Site. */
export interface Queryable {
  query<Row extends QueryResultRow = QueryResultRow>(
    statement: QueryConfig,
  ): Promise<QueryResult<Row>>;
}

/** A piece of SQL that {@link sql} puts in place as it is; made by {@link fragment} alone. */
export interface Fragment {
  readonly [fragmentText]: string;
}

const fragmentText = Symbol("text of the fragment");

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
  let statement = text[0] ?? "";
  for (const [n, value] of values.entries()) {
    statement += isFragment(value) ? value[fragmentText] : `$${parameters.push(value)}`;
    statement += text[n + 1] ?? "";
  }
  return { text: statement, values: parameters };
}

/** Writes a piece of SQL that several statements share. It takes no values. */
export function fragment(text: TemplateStringsArray): Fragment {
  return { [fragmentText]: text[0] ?? "" };
}

function isFragment(value: unknown): value is Fragment {
  return typeof value === "object" && value !== null && fragmentText in value;
}
