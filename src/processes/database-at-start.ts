import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { Failure } from "../model/failure.ts";
import { connectionsOfProcess } from "../store/database.ts";
import { startEmbeddedPostgres } from "../store/embedded-postgres.ts";
import { isConnectionLost, toStoreError } from "../store/postgres-errors.ts";
import { ensureDatabase, prepareRoles } from "../store/roles.ts";
import type { Life } from "./life.ts";

/** Where the database is, for each of its roles; they hold passwords. */
export interface DatabaseUrls {
  readonly url: string;
  readonly directUrl?: string;
  /** Absent: Signet does not migrate. */
  readonly ownerUrl?: string | undefined;
}

const RETRY_MS = 1_000;

/** Returns the configured database, or starts one, for so many processes. */
export async function openDatabase(
  { config, log, cleanups }: Pick<Life, "config" | "log" | "cleanups">,
  processes: number,
): Promise<DatabaseUrls> {
  if (config.database) {
    const { url, directUrl, ownerUrl } = config.database;
    return { url: url.reveal(), directUrl: directUrl.reveal(), ownerUrl: ownerUrl?.reveal() };
  }
  const { dataDir, embeddedPostgresPort: port, databasePoolMax } = config;
  const connectionsMax = processes * connectionsOfProcess(databasePoolMax);
  const postgres = await startEmbeddedPostgres({
    dataDir,
    log,
    connectionsMax,
    ...(port && { port }),
  });
  cleanups.push(() => postgres.stop());
  return await prepareRoles(await ensureDatabase(postgres.adminUrl, "signet"));
}

/** Tries until the database answers: it may be away at start as it may be later. */
export async function untilDatabaseIsBack<T>(
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
  prepare: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await prepare();
    } catch (error) {
      const passing = isConnectionLost(error) || toStoreError(error) instanceof Failure;
      if (!passing || signal.aborted) throw error;
      if (attempt === 1) log.warn({ err: error }, "database is away: trying again every second");
      await sleep(RETRY_MS, undefined, { signal });
    }
  }
}
