/**
 * What a Mirror needs of a pool of connections to PostgreSQL: a `Pool` of pg has it, and other
 * drivers are quickly made to have it. Connections go straight to the server or through a
 * pooler in session mode, since the lead is a session's advisory lock.
 */
export interface MirrorPool extends AnnouncingPool {
  connect(): Promise<MirrorConnection & PooledConnection>;
}

/** A pool that tells of each new connection. */
export interface AnnouncingPool {
  on?(event: "connect", listener: (connection: PooledConnection) => void): unknown;
}

/** A connection, as far as statements go; in `onCreate`, one with an open transaction. */
export interface MirrorConnection {
  query(
    text: string,
    values?: unknown[],
  ): Promise<{ readonly rows: readonly Readonly<Record<string, unknown>>[] }>;
}

/** A connection that goes back to its pool. */
export interface PooledConnection {
  /** With an error the connection is closed instead of used again. */
  release(error?: Error): void;
  /** Tells of a connection that is lost while it is idle. */
  on?(event: "error", listener: (error: Error) => void): unknown;
  off?(event: "error", listener: (error: Error) => void): unknown;
}

/** Runs statements on a connection of the pool, and gives it back. */
export async function withConnection<T>(
  pool: MirrorPool,
  run: (connection: MirrorConnection) => Promise<T>,
): Promise<T> {
  const connection = await openConnection(pool);
  try {
    const result = await run(connection);
    connection.release();
    return result;
  } catch (error) {
    connection.release(toError(error));
    throw error;
  }
}

/**
 * Takes a connection that may be lost at any time: it reports that itself, and an error that
 * nobody hears ends the process. The statement under way, or the next one, is rejected besides.
 */
export async function openConnection(
  pool: MirrorPool,
): Promise<MirrorConnection & PooledConnection> {
  surviveLosses(pool);
  const connection = await pool.connect();
  connection.on?.("error", ignoreLoss);
  return {
    query: (text, values) => connection.query(text, values),
    on: (event, listener) => connection.on?.(event, listener),
    off: (event, listener) => connection.off?.(event, listener),
    release(error) {
      // One that is closed may still report its end.
      if (error === undefined) connection.off?.("error", ignoreLoss);
      connection.release(error);
    },
  };
}

const survivingPools = new WeakSet<AnnouncingPool>();

/**
 * Listens to each new connection of the pool from its first moment: one whose loss arrives
 * together with its readiness has reported it before `connect` has returned.
 */
export function surviveLosses(pool: AnnouncingPool): void {
  if (survivingPools.has(pool)) return;
  survivingPools.add(pool);
  pool.on?.("connect", (connection) => connection.on?.("error", ignoreLoss));
}

function ignoreLoss(): void {}

/** Commits what `run` does, or undoes it where it throws. */
export async function inTransaction<T>(
  connection: MirrorConnection,
  run: () => Promise<T>,
): Promise<T> {
  await connection.query("begin");
  try {
    const result = await run();
    await connection.query("commit");
    return result;
  } catch (error) {
    // Where the connection is lost so is the transaction.
    await connection.query("rollback").catch(() => undefined);
    throw error;
  }
}

/** Returns what was thrown as an Error. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
