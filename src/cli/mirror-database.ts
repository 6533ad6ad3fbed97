import { Option } from "commander";
import { Pool } from "pg";
import { UsageError } from "./context.ts";

/** What a command names of a Mirror's place in PostgreSQL. */
export interface MirrorPlaceOptions {
  readonly table?: string;
  readonly revocationsTable?: string;
}

/** The tables of a Mirror that nobody has named otherwise. */
export const DEFAULT_TABLES = {
  users: "public.signet_users",
  revocations: "public.signet_revocations",
} as const;

const CONNECTIONS_MAX = 6;
const CONNECT_MS_MAX = 10_000;

/** An option that names the app's database. Its password may stand in PGPASSWORD or ~/.pgpass. */
export function databaseOption(flags: string): Option {
  return new Option(flags, "the app's database, as postgres://user@host/name");
}

/**
 * Works with the app's database, and leaves it at the end.
 *
 * @throws {UsageError} where the URL is none. No message holds it, since it may have a password.
 * @throws {Error} with what the database says where it cannot be reached.
 */
export async function withMirrorPool<T>(url: string, work: (pool: Pool) => Promise<T>): Promise<T> {
  if (!/^postgres(ql)?:$/.test(URL.parse(url)?.protocol ?? "")) {
    throw new UsageError("the database must be named by a postgres:// URL");
  }
  const pool = new Pool({
    connectionString: url,
    application_name: "signet",
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    keepAlive: true,
  });
  pool.on("error", () => undefined); // An idle connection was lost; the next one is new.
  try {
    await pool.query("select 1").catch((error: unknown) => {
      throw new Error(`the app's database cannot be used: ${textOf(error)}`, { cause: error });
    });
    return await work(pool);
  } finally {
    await pool.end();
  }
}

/** One address after the other was tried: the errors say more than their sum. */
function textOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(textOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}
