import { type ChildProcess, spawn } from "node:child_process";
import { open, readFile, rename, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { LIMITS } from "../../model/limits.ts";
import { type Binaries, SURROUNDINGS } from "./binaries.ts";
import type { Placement } from "./placement.ts";
import { LOOPBACK } from "./port.ts";
import { readPostmasterFile, signalProcess, stopPostmaster } from "./postmaster-file.ts";

/** A PostgreSQL server process that accepts connections. */
export interface Postmaster {
  readonly pid: number;
  /** Resolves when the process is gone, for whatever reason. */
  readonly exited: Promise<void>;
  stop(): Promise<void>;
}

/** How a server is started. */
export interface PostmasterOptions {
  readonly binaries: Binaries;
  readonly placement: Placement;
  readonly port: number;
  readonly durable: boolean;
  /** How many connections are to be possible at least. */
  readonly connectionsMax: number;
}

/**
 * Starts the server and waits until it accepts connections, crash recovery included.
 *
 * @throws {Error} with the last lines of the server's log if it does not come up; then no
 *   process is left.
 */
export async function startPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  const deadline = Date.now() + LIMITS.postgresStartTimeoutMs;
  for (;;) {
    const { placement } = options;
    const logStart = await prepareLog(placement.logFile);
    const postmaster = await spawnPostmaster(options);
    if (await becomesReady(postmaster, placement.cluster, deadline)) return postmaster;
    await postmaster.stop();
    const said = (await readFile(placement.logFile, "utf8")).slice(logStart);
    // The last backends of a server that was killed are still finishing their statements.
    const passing = said.includes("pre-existing shared memory block");
    if (!passing || Date.now() > deadline) {
      const lastLines = said.trim().split("\n").slice(-20).join("\n");
      throw new Error(`PostgreSQL did not start; it says:\n${lastLines}`);
    }
    await sleep(LIMITS.postgresRestartDelayMs);
  }
}

async function spawnPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  const { binaries, placement } = options;
  const log = await open(placement.logFile, "a", 0o600);
  try {
    // A group of its own: Ctrl-C in a terminal reaches Signet alone, which drains first.
    const child = spawn(binaries.postgres, serverArguments(options), {
      ...placement.account,
      ...SURROUNDINGS,
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
    });
    return await supervise(child);
  } finally {
    await log.close();
  }
}

async function supervise(child: ChildProcess): Promise<Postmaster> {
  const { promise: exited, resolve } = Promise.withResolvers<void>();
  let running = true;
  await new Promise<void>((spawned, failed) => {
    child.once("spawn", spawned);
    child.once("error", failed);
  });
  const pid = child.pid ?? 0;
  const stopAtExit = (): void => signalProcess(pid, "SIGINT");
  process.once("exit", stopAtExit);
  child.once("exit", () => {
    running = false;
    process.off("exit", stopAtExit);
    resolve();
  });
  const isRunning = (): boolean => running;
  return {
    pid,
    exited,
    stop: async () => {
      if (running) await stopPostmaster(pid, isRunning);
    },
  };
}

async function becomesReady(
  { pid, exited }: Postmaster,
  cluster: string,
  deadline: number,
): Promise<boolean> {
  let running = true;
  void exited.then(() => {
    running = false;
  });
  while (running && Date.now() < deadline) {
    const file = await readPostmasterFile(cluster);
    if (file?.pid === pid && file.ready) return true;
    await sleep(LIMITS.postgresPollMs);
  }
  return false;
}

/** Keeps the last two files, and returns where this start begins in the current one. */
async function prepareLog(logFile: string): Promise<number> {
  const size = (await stat(logFile).catch(() => undefined))?.size ?? 0;
  if (size <= LIMITS.postgresLogBytesMax) return size;
  await rename(logFile, `${logFile}.old`);
  return 0;
}

function serverArguments(options: PostmasterOptions): string[] {
  const { placement, port, durable, connectionsMax } = options;
  const settings = {
    listen_addresses: LOOPBACK,
    port,
    unix_socket_directories: "",
    max_connections: Math.max(CONNECTIONS_MIN, connectionsMax + SPARE_CONNECTIONS),
    shared_buffers: "128MB",
    timezone: "UTC",
    log_timezone: "UTC",
    logging_collector: "off",
    // Errors of statements reach Signet; in this log they would only spread personal data.
    log_min_messages: "log",
    log_min_error_statement: "panic",
    log_error_verbosity: "terse",
    ...(durable ? DURABLE : THROWAWAY),
  };
  return [
    "-D",
    placement.cluster,
    ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ];
}

const CONNECTIONS_MIN = 100;
/** For migrations, and for a person with psql. */
const SPARE_CONNECTIONS = 10;

const DURABLE = { synchronous_commit: "on", fsync: "on", full_page_writes: "on" };
/** What is committed survives the death of any process, though not that of the machine. */
const THROWAWAY = {
  synchronous_commit: "on",
  fsync: "off",
  full_page_writes: "off",
  max_connections: 500, // Many services of many tests share one server.
};
