import { setTimeout as sleep } from "node:timers/promises";
import type { Pool, PoolClient, QueryResult } from "pg";
import { escapeLiteral } from "pg";
import { LIMITS } from "../model/limits.ts";
import { isConnectionLost, isContention, toStoreError } from "./postgres-errors.ts";
import type { Queryable } from "./sql.ts";

/** How a transaction runs; by default read committed, and free to write. */
export interface TransactionOptions {
  /** Taken literally from this list, never from a request. */
  readonly isolation?: "read committed" | "repeatable read" | "serializable";
  readonly readOnly?: boolean;
  /**
   * Asked just before the commit: whether the transaction itself numbers its changes, so that a
   * reader finds them in the log at once. By default a reader numbers them.
   */
  readonly mayNumber?: () => boolean;
}

/**
 * Runs `work` in a transaction in which row-level security admits the rows of one Site alone.
 *
 * `work` may run up to three times: after a serialization failure, a deadlock, or a connection
 * lost before the commit was sent. So it does nothing but statements on the transaction it is
 * given, which ends with it: a statement sent later is refused.
 *
 * @throws {Failure} `unavailable` if the database is away or busy, or the connection is lost
 *   during the commit, in which case the transaction may or may not have happened.
 */
export async function inSiteTransaction<T>(
  pool: Pool,
  siteId: string,
  work: (transaction: Queryable) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const begin = beginStatement(siteId, options);
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await attemptTransaction(pool, { begin, work, ...options });
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
  statement: (client: Queryable) => Promise<T>,
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

/** One round trip opens the transaction and names the Site; a parameter would cost a second. */
function beginStatement(siteId: string, { isolation, readOnly }: TransactionOptions): string {
  const modes = [isolation && `isolation level ${isolation}`, readOnly && "read only"];
  const begin = ["begin", modes.filter(Boolean).join(", ")].join(" ").trimEnd();
  return `${begin}; select set_config('signet.site_id', ${escapeLiteral(siteId)}, true)`;
}

interface Attempt<T> extends Pick<TransactionOptions, "mayNumber"> {
  readonly begin: string;
  readonly work: (transaction: Queryable) => Promise<T>;
}

async function attemptTransaction<T>(
  pool: Pool,
  { begin, work, mayNumber = () => false }: Attempt<T>,
): Promise<Outcome<T>> {
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
    await client.query(begin);
    const value = await runWork(client, work);
    committing = true;
    await commit(client, mayNumber() ? NUMBER_THEN_COMMIT : "commit");
    return { done: true, value };
  } catch (error) {
    broken = connectionError(error) ?? (await rollback(client));
    const lostBeforeCommit = !committing && isConnectionLost(error);
    return { done: false, error, repeatable: lostBeforeCommit || isContention(error) };
  } finally {
    client.release(broken);
  }
}

/** The client goes back to the pool after the work; a statement sent later would be another's. */
async function runWork<T>(
  client: PoolClient,
  work: (transaction: Queryable) => Promise<T>,
): Promise<T> {
  let ended = false;
  const transaction: Queryable = {
    async query(statement) {
      if (ended) throw new Error("a statement was sent after its transaction had ended");
      return await client.query(statement);
    },
  };
  try {
    return await work(transaction);
  } finally {
    ended = true;
  }
}

/** One round trip, so that the numbering lasts no longer than it has to. */
const NUMBER_THEN_COMMIT = "select signet.sequence_own_changes(); commit";

/** PostgreSQL answers the commit of a failed transaction with a rollback and no error. */
async function commit(client: PoolClient, statements: string): Promise<void> {
  const result: QueryResult | QueryResult[] = await client.query(statements);
  const last = Array.isArray(result) ? result.at(-1) : result;
  if (last?.command !== "COMMIT") {
    throw new Error("the transaction was rolled back: an error of a statement in it was swallowed");
  }
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
