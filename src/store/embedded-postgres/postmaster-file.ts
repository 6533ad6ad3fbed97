import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LIMITS } from "../../model/limits.ts";
import { identifyProcess } from "./process-identity.ts";

/** What a running PostgreSQL says of itself in `postmaster.pid`. */
export interface PostmasterFile {
  readonly pid: number;
  readonly ready: boolean;
}

/** Returns undefined if the cluster has no such file, or not all of it yet. */
export async function readPostmasterFile(cluster: string): Promise<PostmasterFile | undefined> {
  const text = await readFile(pathIn(cluster), "utf8").catch(() => "");
  const lines = text.split("\n");
  const pid = Number(lines[0]);
  // Line 8 is the state. Source: PostgreSQL, src/include/utils/pidfile.h.
  return pid > 0 ? { pid, ready: lines[7]?.trim() === "ready" } : undefined;
}

/**
 * Stops a PostgreSQL that a dead Signet has left on the cluster, and takes care of a
 * `postmaster.pid` that names a process which is something else by now.
 */
export async function clearLeftover(cluster: string): Promise<"stopped" | "nothing"> {
  const leftover = await readPostmasterFile(cluster);
  if (!leftover) return "nothing";
  const { pid } = leftover;
  if (await isPostmaster(pid, cluster)) {
    await stopPostmaster(pid, () => isPostmaster(pid, cluster));
    return "stopped";
  }
  await disownPostmasterFile(cluster);
  return "nothing";
}

/**
 * Asks for a fast shutdown, and after 10 s for one without it; resolves when the process is gone.
 */
export async function stopPostmaster(
  pid: number,
  isRunning: () => boolean | Promise<boolean>,
): Promise<void> {
  for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
    signalProcess(pid, signal);
    const deadline = Date.now() + LIMITS.postgresStopTimeoutMs;
    while (Date.now() < deadline) {
      if (!(await isRunning())) return;
      await sleep(LIMITS.postgresPollMs);
    }
  }
  throw new Error(`PostgreSQL (process ${pid}) does not stop`);
}

/** Sends a signal; a process that is gone already is as good. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The number alone proves nothing: another program may have it by now. */
async function isPostmaster(pid: number, cluster: string): Promise<boolean> {
  const { command = [] } = (await identifyProcess(pid)) ?? {};
  return (command[0]?.endsWith("/postgres") ?? false) && command.includes(cluster);
}

/**
 * PostgreSQL would take any live process of that number for its predecessor and refuse to start.
 * It makes an exception for its parent, so the file gets our number; it keeps the rest, by which
 * PostgreSQL still sees whether parts of the predecessor are alive.
 */
async function disownPostmasterFile(cluster: string): Promise<void> {
  const [, ...rest] = (await readFile(pathIn(cluster), "utf8")).split("\n");
  await writeFile(pathIn(cluster), [process.pid, ...rest].join("\n"));
}

function pathIn(cluster: string): string {
  return join(cluster, "postmaster.pid");
}
