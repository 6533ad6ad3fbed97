import { setTimeout as sleep } from "node:timers/promises";
import type { Pool, PoolClient, QueryConfig, QueryResult, QueryResultRow } from "pg";
import { LIMITS } from "../model/limits.ts";
import { codeOf, isConnectionLost, isContention, toStoreError } from "./postgres-errors.ts";
import { createReadQuery, type ParserOf } from "./read-query.ts";

/** How statements are read. */
export interface SiteReadOptions {
  /** Whether statements stay prepared, which a pooler in transaction mode does not allow for. */
  readonly keepsStatements: boolean;
  readonly parserOf: ParserOf;
}

/**
 * Runs one statement as one Site, in one round trip and a read-only transaction of its own.
 *
 * It may run up to three times, like a transaction that was lost before its commit.
 *
 * @throws {Failure} `unavailable` if the database is away or busy.
 */
export async function readInSite<Row extends QueryResultRow>(
  pool: Pool,
  siteId: string,
  statement: QueryConfig,
  options: SiteReadOptions,
): Promise<Pick<QueryResult<Row>, "rows">> {
  for (let attempt = 1; ; attempt += 1) {
    let client: PoolClient;
    try {
      client = await pool.connect();
    } catch (error) {
      throw toStoreError(error); // The pool has waited for its timeout already.
    }
    try {
      const rows = await run(client, siteId, statement, options);
      client.release();
      return { rows: rows as Row[] }; // Row describes what the statement selects.
    } catch (error) {
      // The stack of an answer leads to the socket; this one leads to who asked.
      if (error instanceof Error) Error.captureStackTrace(error);
      client.release(isConnectionLost(error) && error instanceof Error ? error : undefined);
      const isRepeatable = isConnectionLost(error) || isContention(error) || isStale(error);
      if (!isRepeatable || attempt === LIMITS.transactionAttemptsMax) throw toStoreError(error);
      await sleep(Math.random() * LIMITS.transactionRetryDelayMs * 2 ** attempt);
    }
  }
}

/**
 * A prepared statement whose columns a migration has changed, or that somebody has dropped or made
 * under its name; the next attempt prepares it anew.
 */
function isStale(error: unknown): boolean {
  return ["0A000", "26000", "42P05"].includes(codeOf(error) ?? "");
}

function run(
  client: PoolClient,
  siteId: string,
  statement: QueryConfig,
  options: SiteReadOptions,
): Promise<QueryResultRow[]> {
  return new Promise((resolve, reject) => {
    const settle = (error: Error | null, rows: QueryResultRow[]): void => {
      if (error) reject(error);
      else resolve(rows);
    };
    client.query(createReadQuery({ siteId, statement, ...options, callback: settle }));
  });
}
