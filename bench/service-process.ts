import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, open, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { stopProcess } from "./child-process.ts";

const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));
const START_MS_MAX = 60_000;
const POLL_MS = 50;

/** Where a service that was started is reached. */
export interface ServiceProcess {
  readonly url: string;
  /** The process that was started; it may have started others. */
  readonly pid: number;
  /** The superuser's, to the service's own database: for what no RPC does. */
  readonly databaseUrl: string;
}

/**
 * Starts the service, as `npm start` does, with its own database and further variables, and waits
 * until it is ready.
 *
 * What it prints goes to a file, as it does where a service is run in earnest: nobody has to
 * keep up with reading it.
 */
export async function startServiceProcess(
  { dataDir, logPath }: { readonly dataDir: string; readonly logPath: string },
  resources: AsyncDisposableStack,
  environment: NodeJS.ProcessEnv,
  settings: Readonly<Record<string, string>> = {},
): Promise<ServiceProcess> {
  const [port, postgresPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const log = await open(logPath, "w");
  const child = spawnService(log, {
    ...programEnvironment(environment),
    PORT: `${port}`,
    SIGNET_DATA_DIR: dataDir,
    SIGNET_POSTGRES_PORT: `${postgresPort}`,
    ...settings,
  });
  // Before it is ready, so that an interruption finds it.
  resources.defer(() => stopProcess(child));
  await log.close();
  await untilReady(child, url, logPath);
  const password = await readFile(join(dataDir, "postgres-password"), "utf8");
  const databaseUrl = `postgres://postgres:${password}@127.0.0.1:${postgresPort}/signet`;
  return { url, pid: child.pid ?? 0, databaseUrl };
}

function spawnService({ fd }: FileHandle, env: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn(process.execPath, ["src/main.ts"], {
    cwd: REPOSITORY,
    env,
    stdio: ["ignore", fd, fd],
    // In a group of its own, Ctrl-C does not reach it: it would be asked to stop twice.
    detached: true,
  });
  child.on("error", () => {}); // Seen as a process that has not become ready.
  return child;
}

/** Only what any program needs, so that the service cannot come upon the URL of a real database. */
function programEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = ["PATH", "HOME", "TMPDIR", "TMP", "TEMP", "LANG", "SYSTEMROOT"];
  return Object.fromEntries(names.map((name) => [name, environment[name]]));
}

/** Returns a port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address === "object" && address) return address.port;
  throw new Error("this machine has no free port");
}

async function untilReady(child: ChildProcess, url: string, logPath: string): Promise<void> {
  const beginMs = performance.now();
  while (performance.now() - beginMs < START_MS_MAX) {
    const ended = child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
    if (ended) throw new Error(`Signet has ended before it was ready:\n${await tail(logPath)}`);
    const response = await fetch(`${url}/readyz`).catch(() => undefined);
    await response?.body?.cancel();
    // The word of one of several processes is not that of all.
    if (response?.ok && (await readFile(logPath, "utf8")).includes("Signet is ready")) return;
    await sleep(POLL_MS);
  }
  throw new Error(`Signet is not ready after ${START_MS_MAX / 1_000} s:\n${await tail(logPath)}`);
}

async function tail(logPath: string): Promise<string> {
  return (await readFile(logPath, "utf8")).trimEnd().split("\n").slice(-20).join("\n");
}
