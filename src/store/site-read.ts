import { setTimeout as sleep } from "node:timers/promises";
import type { Pool, PoolClient, QueryResult, QueryResultRow } from "pg";
import { LIMITS } from "../model/limits.ts";
import { type PipelineOptions, runPipeline } from "./pipeline.ts";
import { isConnectionLost, isContention, isStalePlan, toStoreError } from "./postgres-errors.ts";
import { hot, type Statement } from "./sql.ts";

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
  statement: Statement,
  options: PipelineOptions,
): Promise<Pick<QueryResult<Row>, "rows">> {
  for (let attempt = 1; ; attempt += 1) {
    let client: PoolClient;
    try {
      client = await pool.connect();
    } catch (error) {
      throw toStoreError(error); // The pool has waited for its timeout already.
    }
    const statements = [siteStatement(siteId), { ...statement, hot: true }];
    const { results, error } = await runPipeline(client, statements, options);
    client.release(error && isConnectionLost(error) ? error : undefined);
    if (!error) return { rows: (results[1]?.rows ?? []) as Row[] }; // As the statement selects.
    const isRepeatable = isConnectionLost(error) || isContention(error) || isStalePlan(error);
    if (!isRepeatable || attempt === LIMITS.transactionAttemptsMax) {
      // The stack of an answer leads to the socket; this one leads to who asked.
      Error.captureStackTrace(error);
      throw toStoreError(error);
    }
    await sleep(Math.random() * LIMITS.transactionRetryDelayMs * 2 ** attempt);
  }
}

/**
 * Local to the transaction, as everywhere: with its end, at the Sync, both are as they were. The
 * second is there so that nothing that is called a read can write. Without the first, row-level
 * security makes what follows fail.
 */
function siteStatement(siteId: string): Statement {
  return hot`
    select set_config('signet.site_id', ${siteId}, true),
           set_config('transaction_read_only', 'on', true)`;
}
