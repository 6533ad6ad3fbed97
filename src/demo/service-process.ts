import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createTranscript, type Transcript } from "./transcript.ts";

/** A Signet in a process of its own, as `npm start` runs it. */
export interface ServiceProcess {
  readonly url: string;
  /** What it prints: the mails among it, since it has no mail server. */
  readonly output: Transcript;
  /** Ends it as Ctrl-C does, and its database with it. */
  stop(): Promise<void>;
}

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const HOST = "127.0.0.1";
const STOP_MS_MAX = 20_000;

/**
 * Starts the service on a free port; `output` tells when it is ready.
 *
 * Of the environment only what any program needs is passed on, so that the service cannot come
 * upon the URL of a real database.
 */
export async function startService(
  dataDir: string,
  environment: NodeJS.ProcessEnv,
): Promise<ServiceProcess> {
  const port = await freePort();
  const url = `http://${HOST}:${port}`;
  const child = spawn(process.execPath, ["src/main.ts"], {
    cwd: REPOSITORY,
    env: {
      ...plain(environment),
      HOST,
      PORT: `${port}`,
      SIGNET_DATA_DIR: dataDir,
      SIGNET_PUBLIC_URL: url,
    },
    stdio: ["ignore", "pipe", "pipe"],
    // In a group of its own, Ctrl-C does not reach it: it would be asked to stop twice.
    detached: true,
  });
  const output = createTranscript([child.stdout, child.stderr]);
  child.once("error", (error) => output.end(`Signet did not start: ${error.message}`));
  child.once("close", (code, signal) => output.end(`Signet ended (${signal ?? `code ${code}`})`));
  return { url, output, stop: () => stop(child) };
}

function plain(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = ["PATH", "HOME", "TMPDIR", "TMP", "TEMP", "LANG", "SYSTEMROOT"];
  return Object.fromEntries(names.map((name) => [name, environment[name]]));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address === "object" && address) return address.port;
  throw new Error("this machine has no free port");
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const inTime = await Promise.race([
    exited.then(() => true),
    sleep(STOP_MS_MAX, false, { ref: false }),
  ]);
  if (inTime) return;
  child.kill("SIGKILL");
  await exited;
  throw new Error(`Signet did not stop within ${STOP_MS_MAX / 1_000} s and was killed`);
}
