import { readyMessage } from "../ready-message.ts";
import { migrate } from "../store/migrate.ts";
import { type DatabaseUrls, openDatabase, untilDatabaseIsBack } from "./database-at-start.ts";
import { aborted, type Life } from "./life.ts";
import { relayMetrics } from "./metrics-exchange.ts";
import { findKeys } from "./serve.ts";
import { forkWorker, type WorkerProcess } from "./worker-process.ts";
import { createWorkers, type Workers } from "./workers.ts";

/** Runs the service in several processes: they serve, this one sees to them and to the database. */
export async function leadWorkers(life: Life): Promise<void> {
  const { config, log, print, signal, cleanups } = life;
  const beginMs = performance.now();
  // Heard from the beginning: by itself the signal would end the process.
  let replace = (): void => log.warn("workers that have not started yet are not replaced");
  process.on("SIGUSR2", () => replace());
  for (const warning of config.warnings) log.warn(warning);
  // While one takes the place of another, there is one more of them.
  const urls = await openDatabase(life, config.workers + 1);
  const keys = await findKeys(config); // The workers find them where they are then.
  signal.throwIfAborted();

  if (config.metrics) relayMetrics();
  const team = createTeam(life, urls);
  cleanups.push(() => team.workers.stop());
  const started = Promise.all([team.workers.start(), team.migrate()]);
  await Promise.race([started, aborted(signal)]);
  if (signal.aborted) return;
  replace = team.workers.replace;
  print(readyMessage(config, keys, performance.now() - beginMs));
  await aborted(signal);
  log.info("stopping");
}

/** The workers, and the database that is migrated for them. */
interface Team {
  readonly workers: Workers;
  /** Tries until it is done, the process is to end, or the workers do not start. */
  migrate(): Promise<void>;
}

function createTeam({ config, log, signal, cleanups }: Life, urls: DatabaseUrls): Team {
  const { ownerUrl, ...urlsOfWorkers } = urls;
  let isMigrated = false;

  function fork(): WorkerProcess {
    // Nobody serves at the start, and after the end of them all.
    const opensAtOnce = !workers.running().some((worker) => worker.isReady());
    const worker = forkWorker(log);
    worker.order({ type: "begin", urls: urlsOfWorkers, opensAtOnce });
    if (isMigrated) worker.order({ type: "migrated" });
    return worker;
  }
  const workers = createWorkers({ count: config.workers, fork, log });

  return {
    workers,
    async migrate() {
      const over = new AbortController();
      cleanups.push(() => over.abort());
      const patience = { log, signal: AbortSignal.any([signal, over.signal]) };
      await untilDatabaseIsBack(patience, async () => {
        if (ownerUrl) await migrate({ ownerUrl, log });
      });
      isMigrated = true;
      for (const worker of workers.running()) worker.order({ type: "migrated" });
    },
  };
}
