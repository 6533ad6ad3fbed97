import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { type Config, ConfigError, parseConfig } from "./config.ts";
import { lowerPoolPriority, poolSizeFor } from "./crypto/hash-threads.ts";
import { loadLocalKeys } from "./crypto/local-keys.ts";
import { startWebhookWorker } from "./jobs/deliver-webhooks.ts";
import { isUnwrittenEnd, startJobs } from "./jobs/job-runner.ts";
import { startPeerSyncs } from "./jobs/sync-peers.ts";
import { createLogger } from "./log.ts";
import { createLogMailer } from "./mail/log-mailer.ts";
import { parseSender } from "./mail/sender.ts";
import { createSmtpMailer } from "./mail/smtp-mailer.ts";
import { Failure } from "./model/failure.ts";
import { readyMessage } from "./ready-message.ts";
import { createReadiness } from "./server/readiness.ts";
import { createCrashHandler } from "./server/shutdown.ts";
import { createService } from "./service.ts";
import { createDatabase } from "./store/database.ts";
import { startEmbeddedPostgres } from "./store/embedded-postgres.ts";
import { migrate } from "./store/migrate.ts";
import { isConnectionLost, toStoreError } from "./store/postgres-errors.ts";
import { ensureDatabase, prepareRoles } from "./store/roles.ts";
import { checkDatabase } from "./store/startup-check.ts";

const RETRY_MS = 1_000;

/** Undone in reverse when the service stops, whatever stage it had reached. */
type Cleanup = () => Promise<void> | void;

process.exitCode = await main(parseEnvironment());

function parseEnvironment(): Config | undefined {
  try {
    const config = parseConfig(process.env);
    // Read by libuv when its first thread is needed, which nothing before this does.
    process.env.UV_THREADPOOL_SIZE = String(poolSizeFor(config.hashThreads));
    return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    return undefined;
  }
}

/** Runs the service until a signal; returns the exit code. */
async function main(config: Config | undefined): Promise<number> {
  if (!config) return 2;
  const log = createLogger(config.logLevel);
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  process.on("SIGINT", stop).on("SIGTERM", stop);
  const cleanups: Cleanup[] = [];
  const cleanUp = async () => {
    for (let undo = cleanups.pop(); undo; undo = cleanups.pop()) await undo();
  };
  const crash = createCrashHandler({ log, drain: cleanUp, exit: process.exit });
  process.on("uncaughtException", crash).on("unhandledRejection", (error) => {
    if (isUnwrittenEnd(error)) log.error({ err: error }, "a job has ended, and is still queued");
    else crash(error);
  });
  try {
    await run(config, log, cleanups, stopping.signal);
    return 0;
  } catch (error) {
    if (stopping.signal.aborted) return 0;
    log.fatal({ err: error }, "Signet cannot start");
    console.error(`Signet cannot start: ${error instanceof Error ? error.message : "unknown"}`);
    return 1;
  } finally {
    await cleanUp();
  }
}

async function run(
  config: Config,
  log: Logger,
  cleanups: Cleanup[],
  signal: AbortSignal,
): Promise<void> {
  const beginMs = performance.now();
  for (const warning of config.warnings) log.warn(warning);
  const urls = config.database
    ? revealUrls(config.database)
    : await startOwnDatabase(config, log, cleanups);
  const keys = await findKeys(config); // After the database has locked the data folder.
  signal.throwIfAborted();

  const readiness = createReadiness(["database", "migrations", "reader"]);
  const db = createDatabase({ ...urls, poolMax: config.databasePoolMax, log });
  cleanups.push(() => db.close());
  const service = await createService({ config, db, readiness, log, ...keys });
  const threads = lowerPoolPriority();
  log.debug({ threads }, "passwords are hashed at low priority");
  await service.server.listen();
  cleanups.push(() => service.server.drain());

  await untilDatabaseIsBack(log, signal, async () => {
    if (urls.ownerUrl) await migrate({ ownerUrl: urls.ownerUrl, log });
    readiness.set("migrations", true);
    await checkDatabase(db);
    await service.startReader();
    readiness.set("database", true);
  });
  cleanups.push(() => service.stopReader());

  const mailer = config.smtpUrl
    ? createSmtpMailer({ url: config.smtpUrl })
    : createLogMailer(console.log);
  cleanups.push(() => mailer.close());
  const mail = { deps: service.deps, mailer, defaultSender: parseSender(config.mailFrom) };
  const { retention, signingKeyDays: days } = config;
  const signingKeys = { deps: service.deps, days };
  const jobs = await untilDatabaseIsBack(log, signal, () =>
    startJobs({ db, mail, retention, signingKeys, log }),
  );
  cleanups.push(() => jobs.stop());
  const webhooks = startWebhookWorker(service.deps, log);
  service.onChange(webhooks.wake);
  cleanups.push(() => webhooks.stop());

  const peers = startPeerSyncs(service.deps, log);
  cleanups.push(() => peers.stop());

  console.log(readyMessage(config, keys, performance.now() - beginMs));
  await aborted(signal);
  log.info("stopping");
}

/** Configured, or made at the first start and kept in the data folder. */
async function findKeys(config: Config) {
  const { operatorKey, masterKeys } = config;
  if (operatorKey && masterKeys) return { operatorKey, masterKeys, created: false };
  const local = await loadLocalKeys(config.dataDir);
  return {
    operatorKey: operatorKey ?? local.operatorKey,
    masterKeys: masterKeys ?? local.masterKeys,
    created: local.created && !operatorKey,
  };
}

function revealUrls({ url, directUrl, ownerUrl }: NonNullable<Config["database"]>) {
  return { url: url.reveal(), directUrl: directUrl.reveal(), ownerUrl: ownerUrl?.reveal() };
}

async function startOwnDatabase(config: Config, log: Logger, cleanups: Cleanup[]) {
  const { dataDir, embeddedPostgresPort: port } = config;
  const postgres = await startEmbeddedPostgres({ dataDir, log, ...(port && { port }) });
  cleanups.push(() => postgres.stop());
  return await prepareRoles(await ensureDatabase(postgres.adminUrl, "signet"));
}

/** Tries until the database answers: it may be away at start as it may be later. */
async function untilDatabaseIsBack<T>(
  log: Logger,
  signal: AbortSignal,
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

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
