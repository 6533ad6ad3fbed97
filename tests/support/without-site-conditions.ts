import pg from "pg";

/**
 * Loaded before the service, this takes every condition on `site_id` out of the statements that it
 * sends: nothing but row-level security keeps Sites apart then. What it inserts it still inserts
 * for the Site that it means.
 *
 * It stands where statements leave for the server, so that none goes past it.
 */
const CONDITION = /\b(?:\w+\.)?site_id = (\$\d+)/g;

interface Prepared {
  readonly text: string;
}

type Send<Statement> = (this: unknown, statement: Statement, ...others: unknown[]) => unknown;

const connection = pg.Connection.prototype as unknown as {
  parse: Send<Prepared>;
  query: Send<string>;
};
const { parse, query } = connection;

connection.parse = function (statement, ...others) {
  return parse.call(this, { ...statement, text: withoutConditions(statement.text) }, ...others);
};
connection.query = function (text, ...others) {
  return query.call(this, withoutConditions(text), ...others);
};

function withoutConditions(text: string): string {
  return text.replace(CONDITION, "$1::text is not null");
}
