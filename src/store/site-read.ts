import type { Pool, PoolClient, QueryResult, QueryResultRow } from "pg";
import { LIMITS } from "../model/limits.ts";
import { toParameter } from "./parameter.ts";
import { type PipelineOptions, runPipeline } from "./pipeline.ts";
import { isConnectionLost, isContention, isStalePlan, toStoreError } from "./postgres-errors.ts";
import { hot, type Statement } from "./sql.ts";
import { tracedStatement } from "./traced-statement.ts";

/** A statement that somebody waits for. */
interface Read {
  readonly siteId: string;
  readonly statement: Statement;
  attempt: number;
  readonly resolve: (rows: QueryResultRow[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Reads as a Site. */
export type ReadInSite = <Row extends QueryResultRow>(
  siteId: string,
  statement: Statement,
) => Promise<Pick<QueryResult<Row>, "rows">>;

/** Reads that go together; more would keep the first waiting for the last. */
const READS_MAX = 8;

/**
 * Creates what runs single statements as one Site, in a read-only transaction, for reads that are
 * short. Those that are asked for at the same time for the same Site go together, in one round trip
 * and one transaction: the system calls for a round trip are the most expensive part of a read. A
 * statement that fails takes none of the others with it: those behind it are run again.
 *
 * A read may run up to three times, like a transaction that was lost before its commit. It fails
 * with the Failure `unavailable` if the database is away or busy.
 */
export function createSiteReader(pool: Pool, options: PipelineOptions): ReadInSite {
  const waiting = new Map<string, Read[]>();
  let count = 0;
  let runs = 0;
  let isScheduled = false;

  function add(read: Read): void {
    const reads = waiting.get(read.siteId);
    if (reads) reads.push(read);
    else waiting.set(read.siteId, [read]);
    count += 1;
    if (isScheduled) return;
    isScheduled = true;
    // After all that has come in by now, such as the calls in the bytes of one connection.
    setImmediate(start);
  }

  function start(): void {
    isScheduled = false;
    while (runs * READS_MAX < count) {
      runs += 1;
      run().catch(() => undefined); // Whoever waits has been told.
    }
  }

  /** Takes what goes next; Sites take turns. */
  function next(): readonly Read[] {
    const [first] = waiting;
    if (first === undefined) return [];
    const [siteId, reads] = first;
    waiting.delete(siteId);
    if (reads.length > READS_MAX) waiting.set(siteId, reads.slice(READS_MAX));
    const taken = reads.slice(0, READS_MAX);
    count -= taken.length;
    return taken;
  }

  /** As late as possible, when it has a connection, it takes what is waiting then. */
  async function run(): Promise<void> {
    let client: PoolClient;
    try {
      client = await pool.connect();
    } catch (error) {
      runs -= 1;
      for (const read of next()) read.reject(toStoreError(error)); // The pool has waited already.
      if (count > 0) start();
      return;
    }
    const reads = next();
    runs -= 1;
    if (count > 0) start(); // Other Sites have left less than a whole run.
    if (reads.length === 0) return client.release();
    const site = siteStatement(reads[0]?.siteId ?? "");
    const statements = [site, ...reads.map(({ statement }) => statement)];
    const { results, error } = await runPipeline(client, statements, options);
    client.release(error && isConnectionLost(error) ? error : undefined);
    const [, ...found] = results;
    for (const [n, read] of reads.entries()) {
      const result = found[n];
      if (result) read.resolve(result.rows);
      else if (error && (n === found.length || isConnectionLost(error))) fail(read, error);
      else add(read);
    }
  }

  function fail(read: Read, error: Error): void {
    const isRepeatable = isConnectionLost(error) || isContention(error) || isStalePlan(error);
    if (!isRepeatable || read.attempt === LIMITS.transactionAttemptsMax) {
      read.reject(toStoreError(error));
      return;
    }
    read.attempt += 1;
    const delayMs = Math.random() * LIMITS.transactionRetryDelayMs * 2 ** read.attempt;
    setTimeout(add, delayMs, read);
  }

  return async <Row extends QueryResultRow>(siteId: string, { text, values = [] }: Statement) => {
    try {
      // What cannot be written is the problem of who asks, and must not come up among others.
      const statement = { text, values: values.map(toParameter), hot: true };
      const read = () =>
        new Promise<QueryResultRow[]>((resolve, reject) => {
          add({ siteId, statement, attempt: 1, resolve, reject });
        });
      const rows = await tracedStatement(statement, read);
      return { rows: rows as Row[] }; // As the statement selects.
    } catch (error) {
      // The stack of an answer leads to the socket; this one leads to who asked.
      if (error instanceof Error) Error.captureStackTrace(error);
      throw error;
    }
  };
}

/**
 * Local to the transaction, as everywhere: with its end, at the Sync, all are as they were. Without
 * the first, row-level security makes what follows fail; what the second is for is said at
 * {@link hot}; with the third, nothing that is called a read can write.
 */
function siteStatement(siteId: string): Statement {
  return hot`
    select set_config('signet.site_id', ${siteId}, true),
           set_config('plan_cache_mode', 'force_generic_plan', true),
           set_config('transaction_read_only', 'on', true)`;
}
