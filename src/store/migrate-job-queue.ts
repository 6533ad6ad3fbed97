import { Logger as QueueLogger, runMigrations } from "graphile-worker";
import { type Client, escapeIdentifier, Pool } from "pg";
import type { Logger } from "pino";
import { LIMITS } from "../model/limits.ts";
import { APP_ROLE, OWNER_ROLE } from "./roles.ts";

/**
 * Brings the schema of graphile-worker up to date and lets the application role add and run jobs.
 *
 * The queue works across Sites: its jobs hold ids, and the transaction of the work itself is
 * bound to a Site.
 */
export async function migrateJobQueue(
  client: Client,
  ownerUrl: string,
  log: Logger,
): Promise<void> {
  const pool = new Pool({
    connectionString: ownerUrl,
    application_name: "signet migrate",
    connectionTimeoutMillis: LIMITS.databaseConnectTimeoutMs,
    options: `-c role=${OWNER_ROLE}`,
    max: 1,
  });
  const ignore = (): void => undefined; // the statement under way is rejected besides
  pool.on("error", ignore);
  pool.on("connect", (connected) => connected.on("error", ignore));
  try {
    await runMigrations({ pgPool: pool, logger: toQueueLogger(log) });
  } finally {
    await pool.end();
  }
  await grantJobQueue(client);
}

function toQueueLogger(log: Logger): QueueLogger {
  return new QueueLogger(() => (level, message) => {
    if (level === "error") log.error(message);
    else if (level === "warning") log.warn(message);
    else log.debug(message);
  });
}

/** A later version of the queue may bring tables, so this follows what there is. */
async function grantJobQueue(client: Client): Promise<void> {
  await client.query(`
    grant usage on schema graphile_worker to ${APP_ROLE};
    grant select, insert, update, delete on all tables in schema graphile_worker to ${APP_ROLE};
    grant usage, select on all sequences in schema graphile_worker to ${APP_ROLE};
    revoke execute on all functions in schema graphile_worker from public;
    grant execute on all functions in schema graphile_worker to ${APP_ROLE};
    revoke insert, update, delete on graphile_worker.migrations from ${APP_ROLE};`);
  const { rows } = await client.query<{ name: string }>(`
    select c.relname as name
      from pg_class c
     where c.relnamespace = 'graphile_worker'::regnamespace
       and c.relrowsecurity
       and not exists (
         select from pg_policy p where p.polrelid = c.oid and p.polname = '${APP_ROLE}')`);
  for (const { name } of rows) {
    await client.query(`
      create policy ${APP_ROLE} on graphile_worker.${escapeIdentifier(name)} to ${APP_ROLE}
        using (true) with check (true)`);
  }
}
