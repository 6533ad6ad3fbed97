import { decodeJwt, decodeProtectedHeader } from "jose";
import { Pool } from "pg";
import type { SignedIn } from "./builders.ts";
import { openTestDatabase, type TestDatabase } from "./database.ts";

/** The database of an app that is written in whatever language: all it has is SQL. */
export interface AppDatabase extends AsyncDisposable {
  readonly url: string;
  readonly pool: Pool;
  /** The Users that are no tombstones: version by id. */
  users(table?: string): Promise<Map<string, string>>;
  /** Asks the function beside the table of Revocations about an access token. */
  check(
    person: Pick<SignedIn, "accessToken">,
    table?: string,
    maxStaleness?: string,
  ): Promise<string>;
  /** Ends the server's side of every connection of the command line. */
  terminate(): Promise<void>;
}

/** Makes an empty database, in the run's PostgreSQL. */
export async function openAppDatabase(): Promise<AppDatabase> {
  const database: TestDatabase = await openTestDatabase();
  const pool = new Pool({ connectionString: database.adminUrl });
  pool.on("error", () => undefined); // An idle connection was lost; the next one is new.
  return {
    url: database.adminUrl,
    pool,
    async users(table = "signet_users") {
      const { rows } = await pool.query<{ id: string; version: string }>(
        `select id, version from ${table} where not deleted`,
      );
      return new Map(rows.map(({ id, version }) => [id, version]));
    },
    async check({ accessToken }, table = "signet_revocations", maxStaleness = "5 minutes") {
      const { sid, sub, gen } = decodeJwt(accessToken);
      const { kid } = decodeProtectedHeader(accessToken);
      const { rows } = await pool.query<{ answer: string }>(
        `select ${table}_check(sid => $1, sub => $2, gen => $3, kid => $4,
                               max_staleness => $5) as answer`,
        [sid, sub, gen, kid, maxStaleness],
      );
      return rows[0]?.answer ?? "";
    },
    terminate: () => database.terminate("signet"),
    async [Symbol.asyncDispose]() {
      await pool.end();
      await database[Symbol.asyncDispose]();
    },
  };
}
