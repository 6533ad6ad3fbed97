import type { ClientBase } from "pg";
import { withMirrorPool } from "./mirror-database.ts";

/** A connection to the app's database that a command keeps from its beginning to its end. */
export type LinkDatabase = Pick<ClientBase, "query">;

/**
 * Works on one connection, since the lock that keeps a second command away is the session's.
 * With `readOnly` the server refuses every write.
 *
 * @throws {UsageError} where the URL is none.
 */
export async function withLinkDatabase<T>(
  url: string,
  { readOnly }: { readonly readOnly: boolean },
  work: (db: LinkDatabase) => Promise<T>,
): Promise<T> {
  return await withMirrorPool(url, async (pool) => {
    const client = await pool.connect();
    client.on("error", () => undefined); // The statement under way is rejected besides.
    try {
      // Where row-level security would hide rows, a statement fails instead of missing them.
      await client.query("set row_security = off");
      await client.query("set idle_in_transaction_session_timeout = '60s'");
      // Where the command is killed while it waits, the server lets its locks go all the same.
      await client.query("set client_connection_check_interval = '2s'").catch(() => undefined);
      if (readOnly) await client.query("set default_transaction_read_only = on");
      return await work(client);
    } finally {
      client.release(true); // Its settings and its lock must not outlive the command.
    }
  });
}

/** Commits what `run` does, or undoes it where it throws. */
export async function inLinkTransaction<T>(db: LinkDatabase, run: () => Promise<T>): Promise<T> {
  await db.query("begin");
  try {
    const result = await run();
    await db.query("commit");
    return result;
  } catch (error) {
    // Where the connection is lost so is the transaction.
    await db.query("rollback").catch(() => undefined);
    throw error;
  }
}

/** Returns the code of an error of PostgreSQL; undefined: it is another error. */
export function sqlStateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" && /^[0-9A-Z]{5}$/.test(error.code)
    ? error.code
    : undefined;
}
