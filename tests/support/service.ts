import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { mintOperatorKey } from "../../src/crypto/site-secret.ts";
import { until } from "./waiting.ts";

/** The service in a process of its own, as an operator runs it. */
export interface TestService extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly operatorKey: string;
  /** What it has printed so far: its greeting, and mails where there is no mail server. */
  stdout(): string;
  /** Its log so far. */
  stderr(): string;
  /** Undefined as long as the process lives; null after a signal that it did not handle. */
  exitCode(): number | null | undefined;
  /** Sends a signal and returns the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** The secrets that all processes of one Signet share. */
export interface ServiceKeys {
  readonly operatorKey: string;
  readonly masterKeys: string;
}

/** How to start the service. */
export interface ServiceOptions {
  /** The application role's. */
  readonly databaseUrl: string;
  /** By default keys of its own. */
  readonly keys?: ServiceKeys;
  /** Further variables; an empty one takes a variable away. */
  readonly env?: Readonly<Record<string, string>>;
  readonly port?: number;
  /** Whether to wait until it is ready to serve, or says so itself; by default true. */
  readonly ready?: boolean | "printed";
  /** The folder of the service's program; by default this repository. */
  readonly folder?: string;
}

/** The same for every process, since it is the issuer of tokens. */
const PUBLIC_URL = "https://id.signet.test";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const HOST = "127.0.0.1";
const START_MS_MAX = 30_000;

/** Makes keys for the processes of one Signet. */
export function createServiceKeys(): ServiceKeys {
  return {
    operatorKey: mintOperatorKey().text.reveal(),
    masterKeys: `1:${randomBytes(32).toString("base64")}`,
  };
}

/** Starts the service on a free port, and waits until it is ready. */
export async function startService(options: ServiceOptions): Promise<TestService> {
  const { keys = createServiceKeys(), port = await freePort() } = options;
  const service = spawnService(options.folder ?? REPOSITORY, port, keys.operatorKey, {
    DATABASE_URL: options.databaseUrl,
    SIGNET_OPERATOR_KEY: keys.operatorKey,
    SIGNET_MASTER_KEYS: keys.masterKeys,
    SIGNET_PUBLIC_URL: PUBLIC_URL,
    ...options.env,
  });
  try {
    const { ready = true } = options;
    const isUp = ready === "printed" ? saysSo : ready ? isReady : answersAtAll;
    await until(() => requireAlive(service) && isUp(service), START_MS_MAX);
    return service;
  } catch (error) {
    await service.stop("SIGKILL");
    throw new Error(`the service did not start:\n${service.stderr()}`, { cause: error });
  }
}

/** Starts the service with exactly these variables, and waits for nothing. */
export function launchService(port: number, env: Readonly<Record<string, string>>): TestService {
  return spawnService(REPOSITORY, port, "", env);
}

/** Starts the service with exactly these variables, and waits for its end. */
export async function runService(
  env: Readonly<Record<string, string>>,
): Promise<{ readonly exitCode: number | null; readonly stdout: string; readonly stderr: string }> {
  const service = launchService(Number(env.PORT ?? 0), env);
  try {
    await until(() => service.exitCode() !== undefined, START_MS_MAX);
  } finally {
    await service.stop("SIGKILL");
  }
  const exitCode = service.exitCode() ?? null;
  return { exitCode, stdout: service.stdout(), stderr: service.stderr() };
}

/** Returns a port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address === "object" && address) return address.port;
  throw new Error("this machine has no free port");
}

function spawnService(
  folder: string,
  port: number,
  operatorKey: string,
  env: Readonly<Record<string, string>>,
): TestService {
  const child = spawn(process.execPath, ["src/main.ts"], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, HOST, PORT: `${port}`, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  let exitCode: number | null | undefined;
  const closed = once(child, "close").then(([code]: (number | null)[]) => {
    exitCode = code ?? null;
  });
  const stop = async (signal: NodeJS.Signals = "SIGTERM") => {
    send(child, signal);
    await closed;
    return exitCode ?? null;
  };
  return {
    url: `http://${HOST}:${port}`,
    port,
    pid: child.pid ?? 0,
    operatorKey,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    exitCode: () => exitCode,
    stop,
    async [Symbol.asyncDispose]() {
      await stop("SIGKILL");
    },
  };
}

function send(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
}

function requireAlive(service: TestService): true {
  if (service.exitCode() === undefined) return true;
  throw new Error(`the service has ended with ${service.exitCode()}`);
}

function saysSo({ stdout }: TestService): boolean {
  return stdout().includes("Signet is ready");
}

async function isReady({ url }: TestService): Promise<boolean> {
  return (await fetch(`${url}/readyz`)).ok;
}

async function answersAtAll({ url }: TestService): Promise<boolean> {
  return (await fetch(`${url}/healthz`)).ok;
}
