import { Pool, type QueryConfig, type QueryResult, type QueryResultRow, types } from "pg";
import type { Logger } from "pino";
import type { SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import type { LogStep } from "./changes.ts";
import { createListener, type Listener, type ListenerHandlers } from "./listener.ts";
import { createNotifier } from "./notifier.ts";
import { createNumberingTurns } from "./numbering-turns.ts";
import type { PipelineOptions } from "./pipeline.ts";
import { createSiteReader } from "./site-read.ts";
import type { Queryable, Reader } from "./sql.ts";
import { tracedStatement } from "./traced-statement.ts";
import {
  inSiteTransaction,
  type Numbering,
  runStatement,
  type TransactionOptions,
} from "./transaction.ts";

/** Where the database is, and how much of it one process may take. */
export interface DatabaseOptions {
  /** The application role's; may lead through a pooler in transaction mode. */
  readonly url: string;
  /** Leads to PostgreSQL itself, for LISTEN and jobs; by default the same as `url`. */
  readonly directUrl?: string;
  /** Most connections for calls; by default 16. */
  readonly poolMax?: number;
  /** Most connections for the validation of tokens; by default 4. */
  readonly validationPoolMax?: number;
  /** Most direct connections for jobs; by default 6. */
  readonly directPoolMax?: number;
  readonly log: Logger;
}

/** The two ways to the data: as one Site, or as none. */
export interface SiteDatabase {
  /** Runs `work` as one Site in one transaction; see {@link inSiteTransaction}. */
  inSite<T>(
    siteId: SiteId,
    work: (transaction: Queryable) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>;
  /**
   * Runs single statements as one Site, in one round trip and a read-only transaction, which those
   * share that are asked for at the same time: for reads of one statement, all of them short.
   */
  readIn(siteId: SiteId): Reader;
  /**
   * Does the same for work that changes Users: while few such works of this process are under way,
   * and none of them does so, the transaction numbers its changes, and what it has numbered is
   * returned.
   */
  changeSite<T>(
    siteId: SiteId,
    work: (transaction: Queryable) => Promise<T>,
  ): Promise<{ readonly result: T; readonly numbered: LogStep | undefined }>;
  /** Tells whether a transaction of {@link changeSite} is numbering changes. */
  isNumbering(): boolean;
  /**
   * Runs one statement outside of any Site: a call of a `security definer` function, or a table
   * without a `site_id`. Rows of Sites are out of its reach.
   */
  acrossSites<Row extends QueryResultRow = QueryResultRow>(
    statement: QueryConfig,
  ): Promise<QueryResult<Row>>;
}

/** How a pool of connections is doing. */
export interface PoolState {
  readonly name: "calls" | "validation" | "reader" | "jobs";
  readonly sizeMax: number;
  /** Connections that are open, in use or not. */
  readonly open: number;
  readonly inUse: number;
  /** Work that waits for a connection. */
  readonly waiting: number;
}

/** The connections of one process to PostgreSQL. */
export interface Database extends SiteDatabase, AsyncDisposable {
  /** A small pool of its own, so that the validation of tokens never waits behind logins. */
  readonly validation: SiteDatabase;
  /** One direct connection for the reader of the log: a named statement stays prepared on it. */
  readonly reader: Queryable;
  /** Direct connections for the job queue. */
  readonly directPool: Pool;
  /** Follows a channel on a connection of its own until it is closed; never throws. */
  listen(channel: string, handlers: ListenerHandlers): Listener;
  /** Wakes the listeners of a channel: at once, then at most once per 10 ms; never throws. */
  notifySoon(channel: string, payload?: string): void;
  /** How its pools of connections are doing. */
  pools(): readonly PoolState[];
  /** Ends all connections, after the statements under way. */
  close(): Promise<void>;
}

/** The log's reader, LISTEN and NOTIFY have one each. */
const SINGLE_CONNECTIONS = 3;

/** Says how many connections one process opens at most, with so many for its calls. */
export function connectionsOfProcess(poolMax: number): number {
  const { databaseValidationPoolMax, databaseDirectPoolMax } = LIMITS;
  return poolMax + databaseValidationPoolMax + databaseDirectPoolMax + SINGLE_CONNECTIONS;
}

/** Prepares the connections to PostgreSQL; the first is opened when it is needed. */
export function createDatabase(options: DatabaseOptions): Database {
  const { url, directUrl = url, log } = options;
  const calls = createPool("signet", url, options.poolMax ?? LIMITS.databasePoolMax, log);
  const validation = createPool(
    "signet validation",
    url,
    options.validationPoolMax ?? LIMITS.databaseValidationPoolMax,
    log,
  );
  const reader = createPool("signet reader", directUrl, 1, log);
  const directPool = createPool(
    "signet jobs",
    directUrl,
    options.directPoolMax ?? LIMITS.databaseDirectPoolMax,
    log,
  );
  const notifier = createNotifier({ url: directUrl, log });
  const listeners = new Set<Listener>();

  async function closeAll(): Promise<void> {
    await Promise.all([...listeners].map((listener) => listener.close()));
    await notifier.close();
    await Promise.all([calls, validation, reader, directPool].map((pool) => pool.end()));
  }
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= closeAll();
    return closing;
  };

  // A pooler in transaction mode cannot be listened through: who has one names another way too.
  const keepsStatements = directUrl === url;
  return {
    ...siteDatabase(calls, keepsStatements),
    validation: siteDatabase(validation, keepsStatements),
    reader: { query: siteDatabase(reader, true).acrossSites },
    directPool,
    listen(channel, handlers) {
      const onClosed = () => listeners.delete(listener);
      const listener = createListener({ url: directUrl, channel, log, handlers, onClosed });
      listeners.add(listener);
      return listener;
    },
    notifySoon: notifier.notifySoon,
    pools: () => [
      stateOf("calls", calls),
      stateOf("validation", validation),
      stateOf("reader", reader),
      stateOf("jobs", directPool),
    ],
    close,
    [Symbol.asyncDispose]: close,
  };
}

function stateOf(name: PoolState["name"], pool: Pool): PoolState {
  const { totalCount: open, idleCount, waitingCount: waiting } = pool;
  return { name, sizeMax: pool.options.max, open, inUse: open - idleCount, waiting };
}

function siteDatabase(pool: Pool, keepsStatements: boolean): SiteDatabase {
  const turns = createNumberingTurns();
  const pipeline: PipelineOptions = { keepsStatements, parserOf: NUMBER_TYPES.getTypeParser };
  const read = createSiteReader(pool, pipeline);
  return {
    inSite: (siteId, work, options) =>
      inSiteTransaction(pool, siteId, work, { ...options, ...pipeline }),
    readIn: (siteId) => ({ query: (statement) => read(siteId, statement) }),
    async changeSite(siteId, work) {
      const turn = turns.begin();
      try {
        let numbered: LogStep | undefined;
        const numbering: Numbering = {
          mayNumber: turn.mayNumber,
          onNumbered(step) {
            numbered = step;
          },
        };
        const result = await inSiteTransaction(pool, siteId, work, { numbering, ...pipeline });
        return { result, numbered };
      } finally {
        turn.end();
      }
    },
    isNumbering: turns.isTaken,
    acrossSites: <Row extends QueryResultRow>(statement: QueryConfig) =>
      tracedStatement(statement, () =>
        runStatement(pool, (client) => client.query<Row>(statement)),
      ),
  };
}

/** `bigint` becomes a number; one beyond 2^53 is read as text where it can occur. */
const NUMBER_TYPES = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    oid === types.builtins.INT8 && format !== "binary"
      ? toNumber
      : types.getTypeParser(oid, format),
};

function toNumber(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number)) throw new Error("a bigint is too large for a number");
  return number;
}

/**
 * Builds a pool that survives the loss of any of its connections.
 *
 * The server's own timeouts are settings of the role, since a pooler refuses them as parameters
 * of a connection; the client's timeout is for a server that does not answer at all.
 */
function createPool(name: string, connectionString: string, max: number, log: Logger): Pool {
  const pool = new Pool({
    connectionString,
    application_name: name,
    max,
    connectionTimeoutMillis: LIMITS.databaseConnectTimeoutMs,
    query_timeout: LIMITS.databaseQueryTimeoutMs,
    keepAlive: true,
    types: NUMBER_TYPES,
  });
  const onLost = (error: Error): void => {
    // A database of Signet's own ends right after the pool, and may say so to what is closing.
    if (pool.ending) return;
    log.warn({ pool: name, problem: error.message }, "database connection lost");
  };
  pool.on("error", onLost);
  // A client that is checked out reports its loss itself, and an unheard error ends the process.
  pool.on("connect", (client) => client.on("error", onLost));
  return pool;
}
