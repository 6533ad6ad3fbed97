import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { runner } from "node-pg-migrate";
import type { Client } from "pg";
import type { Logger } from "pino";
import { withDirectClient } from "./direct-client.ts";
import { migrateJobQueue } from "./migrate-job-queue.ts";
import { APP_ROLE, OWNER_ROLE } from "./roles.ts";

/** The migrations of this Signet. */
export const MIGRATIONS_FOLDER = fileURLToPath(new URL("./migrations", import.meta.url));

/** The database was migrated by a Signet that is newer than this one. */
export class SchemaNewerError extends Error {
  constructor(unknown: readonly string[]) {
    super(
      `the database was migrated by a newer Signet (${unknown.join(", ")}): ` +
        "run that version or a later one",
    );
    this.name = "SchemaNewerError";
  }
}

/** What to migrate, and with which files. */
export interface MigrateOptions {
  /** Of a role that may `set role signet_owner`; leads to PostgreSQL itself. */
  readonly ownerUrl: string;
  readonly log: Logger;
  /** Files `NNNN_what.sql`, forward only; by default this Signet's. */
  readonly folder?: string;
}

/**
 * Brings the schemas of Signet and of the job queue up to date, each in whole or not at all.
 *
 * Processes that start together wait for each other: one migrates, the others find it done.
 *
 * @throws {SchemaNewerError} if the database has a migration that this Signet does not know.
 */
export async function migrate({ ownerUrl, log, folder }: MigrateOptions): Promise<void> {
  await withDirectClient({ url: ownerUrl, name: "signet migrate" }, async (client) => {
    await client.query(`set role ${OWNER_ROLE}`);
    // One lock around it all. The library's own would end before the job queue's turn.
    await client.query("select pg_advisory_lock(hashtext('signet migrate'))");
    await createSchema(client);
    await migrateSignet(client, folder ?? MIGRATIONS_FOLDER, log);
    await client.query(`grant select on signet.migrations to ${APP_ROLE}`);
    await migrateJobQueue(client, ownerUrl, log);
  });
}

/** Lists the names of the migrations in a folder, in their order. */
export async function listMigrations(folder = MIGRATIONS_FOLDER): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => MIGRATION_FILE.test(name));
  return names.map((name) => name.slice(0, -".sql".length)).sort();
}

const MIGRATION_FILE = /^\d{4}_[a-z0-9_]+\.sql$/;

/** Whoever restored the schema from a dump may not be allowed to create one, and need not be. */
async function createSchema(client: Client): Promise<void> {
  const { rowCount } = await client.query("select where to_regnamespace('signet') is not null");
  if (rowCount === 0) await client.query("create schema signet");
}

async function migrateSignet(client: Client, folder: string, log: Logger): Promise<void> {
  const known = await listMigrations(folder);
  const unknown = (await appliedMigrations(client)).filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new SchemaNewerError(unknown);
  const applied = await runner({
    dbClient: client,
    dir: folder,
    ignorePattern: `(?!${MIGRATION_FILE.source.slice(1)}).*`,
    direction: "up",
    migrationsSchema: "signet",
    migrationsTable: "migrations",
    singleTransaction: true,
    noLock: true,
    logger: {
      info: (message) => log.debug(message),
      warn: (message) => log.warn(message),
      error: (message) => log.error(excerpt(message)),
    },
  });
  for (const { name } of applied) log.info({ migration: name }, "migration applied");
}

/** The library shows a whole file with a mark at the error: its surroundings are enough. */
function excerpt(message: string): string {
  const lines = message.split("\n");
  const marked = lines.findIndex((line) => /^\s*\^{4}$/.test(line));
  return lines.slice(Math.max(0, marked - EXCERPT_LINES), marked + EXCERPT_LINES).join("\n");
}

const EXCERPT_LINES = 4;

async function appliedMigrations(client: Client): Promise<string[]> {
  const { rowCount } = await client.query(
    "select where to_regclass('signet.migrations') is not null",
  );
  if (rowCount === 0) return [];
  const { rows } = await client.query<{ name: string }>(
    "select name from signet.migrations order by id",
  );
  return rows.map(({ name }) => name);
}
