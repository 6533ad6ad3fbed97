import type { Config } from "../config.ts";
import { lowerPoolPriority } from "../crypto/hash-threads.ts";
import { loadLocalKeys } from "../crypto/local-keys.ts";
import { startWebhookWorker } from "../jobs/deliver-webhooks.ts";
import { startJobs } from "../jobs/job-runner.ts";
import { startPeerSyncs } from "../jobs/sync-peers.ts";
import { createLogMailer } from "../mail/log-mailer.ts";
import { parseSender } from "../mail/sender.ts";
import { createSmtpMailer } from "../mail/smtp-mailer.ts";
import type { GatherMetrics } from "../server/metrics.ts";
import { createReadiness, type Readiness } from "../server/readiness.ts";
import { createService, type Service } from "../service.ts";
import type { Observation } from "../service-observation.ts";
import { createDatabase, type Database } from "../store/database.ts";
import { checkDatabase } from "../store/startup-check.ts";
import { type DatabaseUrls, untilDatabaseIsBack } from "./database-at-start.ts";
import { aborted, type Life } from "./life.ts";

/** What a process needs to serve. */
export interface ServeOptions {
  readonly urls: DatabaseUrls;
  readonly keys: Keys;
  /** Sees to it that the database is migrated; called again if the database is away. */
  readonly migrated: () => Promise<void>;
  /** Whether to take connections before the database is ready, as nobody else does. */
  readonly opensAtOnce: boolean;
  readonly onReady: () => void;
  /** How this is one of several processes for metrics; absent: it is alone. */
  readonly metrics?: MetricsExchange;
}

/** How the metrics of several processes come together. */
export interface MetricsExchange {
  readonly ask: GatherMetrics;
  readonly tell: (own: Observation["own"]) => void;
}

/** The operator key and the encryption keys; whether they were made just now. */
export type Keys = Awaited<ReturnType<typeof findKeys>>;

/** Returns the keys: configured, or made at the first start and kept in the data folder. */
export async function findKeys(config: Config) {
  const { operatorKey, masterKeys } = config;
  if (operatorKey && masterKeys) return { operatorKey, masterKeys, created: false };
  const local = await loadLocalKeys(config.dataDir);
  return {
    operatorKey: operatorKey ?? local.operatorKey,
    masterKeys: masterKeys ?? local.masterKeys,
    created: local.created && !operatorKey,
  };
}

/** Serves until the process is to end. */
export async function serve(life: Life, options: ServeOptions): Promise<void> {
  const { config, log, cleanups, signal } = life;
  const { urls, keys, migrated, opensAtOnce, onReady } = options;
  const readiness = createReadiness(["database", "migrations", "reader"]);
  const db = createDatabase({ ...urls, poolMax: config.databasePoolMax, log });
  cleanups.push(() => db.close());
  const gatherMetrics = options.metrics?.ask;
  const service = await createService({ config, db, readiness, log, gatherMetrics, ...keys });
  await startObservation(life, service, options.metrics);
  const threads = lowerPoolPriority();
  log.debug({ threads }, "passwords are hashed at low priority");
  cleanups.push(() => service.server.drain());
  if (opensAtOnce) await service.server.listen();

  await untilDatabaseIsBack(life, async () => {
    await migrated();
    await prepare(db, service, readiness);
  });
  cleanups.push(() => service.stopReader());
  await startBackgroundWork(life, db, service);
  if (!opensAtOnce) await service.server.listen();
  // Again, since it has to be the first: calls under way need what stands behind them.
  cleanups.push(() => service.server.drain());

  onReady();
  await aborted(signal);
  log.info("stopping");
}

/** Before all else: the start itself may be what has to be looked at. */
async function startObservation(
  { cleanups }: Life,
  { observation }: Service,
  metrics: MetricsExchange | undefined,
): Promise<void> {
  if (!observation) return;
  metrics?.tell(observation.own);
  const { listener } = observation;
  await listener?.listen();
  cleanups.push(() => listener?.close());
}

async function prepare(db: Database, service: Service, readiness: Readiness): Promise<void> {
  readiness.set("migrations", true);
  await checkDatabase(db);
  await service.startReader();
  readiness.set("database", true);
}

async function startBackgroundWork(life: Life, db: Database, service: Service): Promise<void> {
  const { config, log, print, cleanups } = life;
  const { deps } = service;
  const mailer = config.smtpUrl
    ? createSmtpMailer({ url: config.smtpUrl })
    : createLogMailer(print);
  cleanups.push(() => mailer.close());
  const mail = { deps, mailer, defaultSender: parseSender(config.mailFrom) };
  const { retention, signingKeyDays: days } = config;
  const signingKeys = { deps, days };
  const jobs = await untilDatabaseIsBack(life, () =>
    startJobs({ db, mail, retention, signingKeys, counts: service.work, log }),
  );
  cleanups.push(() => jobs.stop());
  const webhooks = startWebhookWorker(deps, log, service.work);
  service.onChange(webhooks.wake);
  cleanups.push(() => webhooks.stop());
  const peers = startPeerSyncs(deps, log);
  cleanups.push(() => peers.stop());
}
