import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { LIMITS } from "../model/limits.ts";
import { type PostgresVersion, prepareBinaries } from "./embedded-postgres/binaries.ts";
import { ADMIN_NAME, ensureCluster } from "./embedded-postgres/cluster.ts";
import { lockDataFolder } from "./embedded-postgres/data-folder-lock.ts";
import { type Placement, placeCluster } from "./embedded-postgres/placement.ts";
import { choosePort, LOOPBACK } from "./embedded-postgres/port.ts";
import { type Postmaster, startPostmaster } from "./embedded-postgres/postmaster.ts";
import { clearLeftover } from "./embedded-postgres/postmaster-file.ts";

/** How to run an embedded PostgreSQL. */
export interface EmbeddedPostgresOptions {
  /** Signet's data folder; created if it is missing, and held by this process until the end. */
  readonly dataDir: string;
  readonly log: Logger;
  /** Absent: the port of last time, or any free one. */
  readonly port?: number;
  /** By default 18; the others are for tests. */
  readonly version?: PostgresVersion;
  /** By default true; false is for databases that are thrown away. */
  readonly durable?: boolean;
  /** How many connections are to be possible at least. */
  readonly connectionsMax?: number;
}

/** A PostgreSQL of this process's own. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** The superuser's, to the database `postgres`; it holds a password. */
  readonly adminUrl: string;
  readonly port: number;
  /** Where the data are: the data folder, or a place outside of it (see {@link placeCluster}). */
  readonly home: string;
  /** The server process; another one after a crash. */
  pid(): number;
  /** Stops the server, within 10 s or so, and gives the data folder back. */
  stop(): Promise<void>;
}

/**
 * Starts a PostgreSQL on this machine, from the binaries of npm, that only this machine reaches.
 *
 * A server left by a Signet that was killed is stopped first; one that dies while this process
 * lives is started again. The data survive both.
 *
 * @throws {DataFolderBusyError} if a running Signet has the data folder.
 * @throws {Error} saying what to do if the port is taken, or PostgreSQL cannot run here.
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const placement = await placeCluster(resolve(options.dataDir));
  const lock = await lockDataFolder(placement.dataDir);
  try {
    const started = await start(options, placement);
    let stopped: Promise<void> | undefined;
    const stop = (): Promise<void> => {
      stopped ??= started.stop().then(() => lock.release());
      return stopped;
    };
    return { ...started, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function start(options: EmbeddedPostgresOptions, placement: Placement) {
  const { log, version = 18, durable = true, connectionsMax = 0 } = options;
  if (placement.home !== placement.dataDir) {
    log.info({ folder: placement.home }, "database is outside the data folder, which is closed");
  }
  const binaries = await prepareBinaries(version, placement);
  const password = await ensureCluster(binaries, placement, { version, durable });
  if ((await clearLeftover(placement.cluster)) === "stopped") {
    log.info("stopped a database server left by a Signet that was killed");
  }
  const port = await choosePort(placement.dataDir, options.port);
  const launch = async (): Promise<Postmaster> => {
    await clearLeftover(placement.cluster);
    return await startPostmaster({ binaries, placement, port, durable, connectionsMax });
  };
  return {
    adminUrl: `postgres://${ADMIN_NAME}:${password}@${LOOPBACK}:${port}/postgres`,
    port,
    home: placement.home,
    ...keepRunning(await launch(), launch, log),
  };
}

/** Starts the server again whenever it dies, until it is told to stop. */
function keepRunning(first: Postmaster, launch: () => Promise<Postmaster>, log: Logger) {
  const stopping = new AbortController();
  let current = first;

  async function watch(): Promise<void> {
    for (;;) {
      await current.exited;
      while (!stopping.signal.aborted) {
        log.error("database server died: starting it again");
        try {
          current = await launch();
          break;
        } catch (error) {
          log.error({ err: error }, "database server does not start");
          await pause(LIMITS.reconnectDelayMsMax, stopping.signal);
        }
      }
      if (stopping.signal.aborted) return await current.stop();
    }
  }
  const watching = watch();

  return {
    pid: () => current.pid,
    async stop(): Promise<void> {
      stopping.abort();
      await current.stop();
      await watching;
    },
  };
}

async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  await sleep(delayMs, undefined, { signal }).catch(() => undefined);
}
