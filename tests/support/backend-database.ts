import { type AppDatabase, openAppDatabase } from "./app-database.ts";
import { unique } from "./builders.ts";
import { blocksOf } from "./guide-blocks.ts";

/** The database of a backend, as docs/guides/master-and-mirror.md makes it. */
export interface BackendDatabase extends AppDatabase {
  /** The backend's own account; `url` is that of the Mirror. */
  readonly backendUrl: string;
  /** Adds what the backend has of its own to the table that the Mirror has made. */
  addOwnColumns(): Promise<void>;
}

/** Makes an empty database, with a role of its own. */
export async function openBackendDatabase(): Promise<BackendDatabase> {
  const database = await openAppDatabase();
  const role = unique("backend").replace("-", "_");
  const backendUrl = new URL(database.url);
  backendUrl.username = role;
  backendUrl.password = "change-me";
  return {
    ...database,
    backendUrl: backendUrl.href,
    async addOwnColumns() {
      const [statements = ""] = blocksOf("master-and-mirror", "sql");
      await database.pool.query(statements.replace(/\bbackend\b/g, role));
    },
    async [Symbol.asyncDispose]() {
      await database.pool.query(`drop owned by ${role}`);
      await database.pool.query(`drop role ${role}`);
      await database[Symbol.asyncDispose]();
    },
  };
}
