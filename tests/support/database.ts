import { randomBytes } from "node:crypto";
import { Client } from "pg";
import { inject } from "vitest";
import { createDatabase, type Database, type DatabaseOptions } from "../../src/store/database.ts";
import { prepareDatabase, withDatabase } from "../../src/store/roles.ts";
import { silentLog } from "./postgres.ts";

/** A database of the test file's own. */
export interface TestDatabase extends AsyncDisposable {
  /** Connected as the application role. */
  readonly db: Database;
  /** The superuser's. */
  readonly adminUrl: string;
  readonly appUrl: string;
  /** The migrator's. */
  readonly ownerUrl: string;
  /**
   * Ends the server's side of every connection of one kind, as a restart would: `signet`,
   * `signet validation`, `signet jobs`, `signet listener` or `signet notifier`.
   */
  terminate(applicationName: string): Promise<void>;
}

/** Copies the migrated template; takes about 0.1 s. Dispose of it at the end. */
export async function openTestDatabase(
  options: Partial<DatabaseOptions> = {},
): Promise<TestDatabase> {
  const template = inject("postgres");
  const name = `signet_test_${randomBytes(8).toString("hex")}`;
  const serverUrl = withDatabase(template.adminUrl, "postgres");
  await runAsAdmin(serverUrl, `create database ${name} template signet_template`);
  const [adminUrl, appUrl, ownerUrl] = [
    withDatabase(template.adminUrl, name),
    withDatabase(template.appUrl, name),
    withDatabase(template.ownerUrl, name),
  ];
  await prepareDatabase(adminUrl); // a copy has none of the rights to its template
  const db = createDatabase({ url: appUrl, log: silentLog, ...options });
  return {
    db,
    adminUrl,
    appUrl,
    ownerUrl,
    async terminate(applicationName) {
      await runAsAdmin(
        adminUrl,
        `select pg_terminate_backend(pid) from pg_stat_activity
          where application_name = '${applicationName}' and datname = current_database()`,
      );
    },
    async [Symbol.asyncDispose]() {
      await db.close();
      await runAsAdmin(serverUrl, `drop database ${name} with (force)`);
    },
  };
}

/** Runs SQL as the superuser, such as what a test needs the application role not to be able to. */
export async function runAsAdmin<Row>(url: string, statement: string): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  client.on("error", () => undefined); // the statement is rejected besides
  await client.connect();
  try {
    const { rows } = await client.query(statement);
    return rows as Row[];
  } finally {
    await client.end();
  }
}
