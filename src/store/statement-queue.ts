import type { PoolClient, QueryResultRow } from "pg";
import { type PipelineOptions, runPipeline, type StatementResult } from "./pipeline.ts";
import type { Queryable, Statement, ToError } from "./sql.ts";
import { tracedRoundTrip } from "./traced-statement.ts";

/** The statements of one transaction. */
export interface StatementQueue extends Required<Queryable> {
  /** Runs a statement, and returns what PostgreSQL says that it has done. */
  run(statement: Statement): Promise<StatementResult>;
}

interface Entry {
  readonly statement: Statement;
  readonly toError?: ToError;
  readonly resolve?: (result: StatementResult) => void;
  readonly reject?: (error: unknown) => void;
}

/**
 * Creates the statements of one transaction, which are run in the order in which they are asked
 * for. Those that somebody waits for at the same time, and those before them that nobody waits for,
 * go to PostgreSQL together.
 */
export function createStatementQueue(client: PoolClient, options: PipelineOptions): StatementQueue {
  let waiting: Entry[] = [];
  let isScheduled = false;
  let sent = Promise.resolve();

  function run(statement: Statement): Promise<StatementResult> {
    return new Promise((resolve, reject) => {
      waiting.push({ statement, resolve, reject });
      if (isScheduled) return;
      isScheduled = true;
      sent = sent.then(send);
    });
  }

  async function send(): Promise<void> {
    const entries = waiting;
    waiting = [];
    isScheduled = false;
    const statements = entries.map(({ statement }) => statement);
    const roundTrip = () => runPipeline(client, statements, options);
    const { results, error } = await tracedRoundTrip(statements, roundTrip);
    const problem = error && (entries[results.length]?.toError?.(error) ?? error);
    for (const [n, { resolve, reject }] of entries.entries()) {
      const result = results[n];
      if (result) resolve?.(result);
      else reject?.(problem);
    }
  }

  return {
    run,
    async query<Row extends QueryResultRow>(statement: Statement) {
      const { rows, rowCount } = await run(statement).catch(withOwnStack);
      return { rows: rows as Row[], rowCount }; // Row describes what the statement selects.
    },
    enqueue(statement, toError) {
      waiting.push({ statement, ...(toError && { toError }) });
    },
  };
}

/** The stack of an answer leads to the socket; this one leads to who asked. */
function withOwnStack(error: unknown): never {
  if (error instanceof Error) Error.captureStackTrace(error, withOwnStack);
  throw error;
}
