import cluster from "node:cluster";
import { type Config, ConfigError, parseConfig } from "./config.ts";
import { poolSizeFor } from "./crypto/hash-threads.ts";
import { createLogger } from "./log.ts";
import { serveAlone } from "./processes/alone.ts";
import { live } from "./processes/life.ts";
import { leadWorkers } from "./processes/primary.ts";
import { serveAsWorker } from "./processes/worker.ts";

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

/** Runs this process, alone or as one of several; returns the exit code. */
async function main(config: Config | undefined): Promise<number> {
  if (!config) return 2;
  const log = createLogger(config.logLevel, { worker: cluster.worker?.id });
  const options = { config, log, print: console.log, complain: console.error };
  if (cluster.worker) return await live({ ...options, endings: ["SIGTERM"] }, serveAsWorker);
  const run = config.workers > 1 ? leadWorkers : serveAlone;
  return await live({ ...options, endings: ["SIGTERM", "SIGINT"] }, run);
}
