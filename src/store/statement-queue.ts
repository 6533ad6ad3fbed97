import type { PoolClient, QueryResultRow } from "pg";
import { type PipelineOptions, runPipeline, type StatementResult } from "./pipeline.ts";
import { hot, type Queryable, type Statement, type ToError } from "./sql.ts";
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

/** From here on a statement is planned for its values, until the transaction ends. */
const PLAN_FOR_VALUES = hot`set local plan_cache_mode = auto`;

/**
 * Creates the statements of one transaction, which has begun with plans that look at no values; the
 * first statement that is not hot ends that. They are run in the order in which they are asked
 * for. Those that somebody waits for at the same time, and those before them that nobody waits for,
 * go to PostgreSQL together.
 */
export function createStatementQueue(client: PoolClient, options: PipelineOptions): StatementQueue {
  let waiting: Entry[] = [];
  let isScheduled = false;
  let plansForValues = false;
  let sent = Promise.resolve();

  function add(entry: Entry): void {
    if (!plansForValues && entry.statement.hot !== true) {
      plansForValues = true;
      waiting.push({ statement: PLAN_FOR_VALUES });
    }
    waiting.push(entry);
  }

  function run(statement: Statement): Promise<StatementResult> {
    return new Promise((resolve, reject) => {
      add({ statement, resolve, reject });
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
      add({ statement, ...(toError && { toError }) });
    },
  };
}

/** The stack of an answer leads to the socket; this one leads to who asked. */
function withOwnStack(error: unknown): never {
  if (error instanceof Error) Error.captureStackTrace(error, withOwnStack);
  throw error;
}
