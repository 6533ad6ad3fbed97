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

/** How PostgreSQL plans what follows, until it is told otherwise or the transaction ends. */
interface Planning {
  readonly looksAtValues: boolean;
  readonly indexed: boolean;
}

const LOOK_AT_VALUES = hot`set local plan_cache_mode = auto`;
const LOOK_AT_NO_VALUES = hot`set local plan_cache_mode = force_generic_plan`;

/** What would read more than the rows that are wanted, and what only seems to pay for so many. */
const BROAD = [
  "enable_sort",
  "enable_seqscan",
  "enable_bitmapscan",
  "enable_hashjoin",
  "enable_mergejoin",
  "enable_material",
  "jit",
];
const INDEXES_ALONE = hot`
  select set_config('max_parallel_workers_per_gather', '0', true),
         (select count(set_config(name, 'off', true)) from unnest(${BROAD}::text[]) name)`;
/** It may have some of them off as well. */
const AS_THE_SERVER_HAS_IT = [...BROAD, "max_parallel_workers_per_gather"].map((name) => ({
  text: `set local ${name} to default`,
  hot: true,
}));

/**
 * Creates the statements of one transaction, which has begun with plans that look at no values;
 * each is planned as it says of itself. They are run in the order in which they are asked for.
 * Those that somebody waits for at the same time, and those before them that nobody waits for, go
 * to PostgreSQL together.
 */
export function createStatementQueue(client: PoolClient, options: PipelineOptions): StatementQueue {
  let waiting: Entry[] = [];
  let isScheduled = false;
  let planning: Planning = { looksAtValues: false, indexed: false };
  let sent = Promise.resolve();

  /** Has a statement planned as it says, at no round trip of its own. */
  function plan({ hot: isHot = false, indexed = false }: Statement): void {
    const wanted = { looksAtValues: !isHot && !indexed, indexed };
    for (const statement of changesOf(planning, wanted)) waiting.push({ statement });
    planning = wanted;
  }

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
      plan(statement);
      const { rows, rowCount } = await run(statement).catch(withOwnStack);
      return { rows: rows as Row[], rowCount }; // Row describes what the statement selects.
    },
    enqueue(statement, toError) {
      plan(statement);
      waiting.push({ statement, ...(toError && { toError }) });
    },
  };
}

function changesOf(before: Planning, wanted: Planning): Statement[] {
  const changes: Statement[] = [];
  if (before.indexed && !wanted.indexed) changes.push(...AS_THE_SERVER_HAS_IT);
  if (before.looksAtValues !== wanted.looksAtValues) {
    changes.push(wanted.looksAtValues ? LOOK_AT_VALUES : LOOK_AT_NO_VALUES);
  }
  if (!before.indexed && wanted.indexed) changes.push(INDEXES_ALONE);
  return changes;
}

/** The stack of an answer leads to the socket; this one leads to who asked. */
function withOwnStack(error: unknown): never {
  if (error instanceof Error) Error.captureStackTrace(error, withOwnStack);
  throw error;
}
