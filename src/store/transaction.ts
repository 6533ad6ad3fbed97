import { setTimeout as sleep } from "node:timers/promises";
import type { Pool, PoolClient } from "pg";
import { LIMITS } from "../model/limits.ts";
import { type LogStep, numberOwnChanges } from "./changes.ts";
import type { PipelineOptions } from "./pipeline.ts";
import { isConnectionLost, isContention, isStalePlan, toStoreError } from "./postgres-errors.ts";
import { hot, type Queryable, type Statement } from "./sql.ts";
import { createStatementQueue, type StatementQueue } from "./statement-queue.ts";

/** How a transaction runs; by default read committed, and free to write. */
export interface TransactionOptions {
  /** Taken literally from this list, never from a request. */
  readonly isolation?: "read committed" | "repeatable read" | "serializable";
  readonly readOnly?: boolean;
  /** By default a reader of the log numbers what the transaction changes. */
  readonly numbering?: Numbering;
}

/** How a transaction itself numbers its changes, so that they are in the log with the commit. */
export interface Numbering {
  /** Asked just before the commit. */
  mayNumber(): boolean;
  /** Told after the commit what has come into the log, if anything; must not throw. */
  onNumbered(step: LogStep): void;
}

/**
 * Runs `work` in a transaction in which row-level security admits the rows of one Site alone.
 *
 * `work` may run up to three times: after a serialization failure, a deadlock, or a connection
 * lost before the commit was sent. So it does nothing but statements on the transaction it is
 * given, which ends with it: a statement sent later is refused.
 *
 * The transaction is begun in the round trip of its first statement.
 *
 * @throws {Failure} `unavailable` if the database is away or busy, or the connection is lost
 *   during the commit, in which case the transaction may or may not have happened.
 */
export async function inSiteTransaction<T>(
  pool: Pool,
  siteId: string,
  work: (transaction: Queryable) => Promise<T>,
  options: TransactionOptions & PipelineOptions,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await attemptTransaction(pool, { siteId, work, ...options });
    if (outcome.done) return outcome.value;
    if (!outcome.repeatable || attempt === LIMITS.transactionAttemptsMax) {
      throw toStoreError(outcome.error);
    }
    await sleep(Math.random() * LIMITS.transactionRetryDelayMs * 2 ** attempt);
  }
}

/**
 * Runs one statement by itself, outside of any Site.
 *
 * @throws {Failure} `unavailable` if the database is away or busy; the statement may have run.
 */
export async function runStatement<T>(
  pool: Pool,
  statement: (client: PoolClient) => Promise<T>,
): Promise<T> {
  let broken: Error | undefined;
  let client: PoolClient | undefined;
  try {
    client = await pool.connect();
    return await statement(client);
  } catch (error) {
    broken = connectionError(error);
    throw toStoreError(error);
  } finally {
    client?.release(broken);
  }
}

type Outcome<T> =
  | { readonly done: true; readonly value: T }
  | { readonly done: false; readonly error: unknown; readonly repeatable: boolean };

interface Attempt<T> extends TransactionOptions, PipelineOptions {
  readonly siteId: string;
  readonly work: (transaction: Queryable) => Promise<T>;
}

async function attemptTransaction<T>(pool: Pool, attempt: Attempt<T>): Promise<Outcome<T>> {
  const { siteId, work, numbering } = attempt;
  let client: PoolClient;
  try {
    client = await pool.connect();
  } catch (error) {
    // The pool has waited for its timeout already; more of the same would only add to a flood.
    return { done: false, error, repeatable: false };
  }
  let broken: Error | undefined;
  let committing = false;
  try {
    const statements = createStatementQueue(client, attempt);
    statements.enqueue(beginStatement(attempt));
    statements.enqueue(siteStatement(siteId));
    const value = await runWork(statements, work);
    committing = true;
    await commit(statements, numbering?.mayNumber() ? numbering : undefined);
    return { done: true, value };
  } catch (error) {
    broken = connectionError(error) ?? (await rollback(client));
    const lostBeforeCommit = !committing && isConnectionLost(error);
    const repeatable = lostBeforeCommit || isContention(error) || isStalePlan(error);
    return { done: false, error, repeatable };
  } finally {
    client.release(broken);
  }
}

function beginStatement({ isolation, readOnly }: TransactionOptions): Statement {
  const modes = [isolation && `isolation level ${isolation}`, readOnly && "read only"];
  return { text: ["begin", modes.filter(Boolean).join(", ")].join(" ").trimEnd(), hot: true };
}

/** Local to the transaction. What the second is for is said at {@link hot}. */
function siteStatement(siteId: string): Statement {
  return hot`
    select set_config('signet.site_id', ${siteId}, true),
           set_config('plan_cache_mode', 'force_generic_plan', true)`;
}

/** The client goes back to the pool after the work; a statement sent later would be another's. */
async function runWork<T>(
  statements: StatementQueue,
  work: (transaction: Queryable) => Promise<T>,
): Promise<T> {
  let ended = false;
  const requireOpen = (): void => {
    if (ended) throw new Error("a statement was sent after its transaction had ended");
  };
  const transaction: Queryable = {
    async query(statement) {
      requireOpen();
      return await statements.query(statement);
    },
    enqueue(statement, toError) {
      requireOpen();
      statements.enqueue(statement, toError);
    },
  };
  try {
    return await work(transaction);
  } finally {
    ended = true;
  }
}

/**
 * Commits in one round trip, with what is still enqueued and the numbering, so that the locks are
 * held no longer than they have to.
 *
 * PostgreSQL answers the commit of a failed transaction with a rollback and no error.
 */
async function commit(statements: StatementQueue, numbering?: Numbering): Promise<void> {
  const [numbered, { tag }] = await Promise.all([
    numbering && numberOwnChanges(statements),
    statements.run(hot`commit`),
  ]);
  if (tag !== "COMMIT") {
    throw new Error("the transaction was rolled back: an error of a statement in it was swallowed");
  }
  if (numbered) numbering?.onNumbered(numbered);
}

async function rollback(client: PoolClient): Promise<Error | undefined> {
  try {
    await client.query("rollback");
    return undefined;
  } catch (error) {
    return asError(error);
  }
}

function connectionError(error: unknown): Error | undefined {
  return isConnectionLost(error) ? asError(error) : undefined;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
