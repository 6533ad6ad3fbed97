import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { signalProcess } from "../../src/store/embedded-postgres/postmaster-file.ts";
import { identifyProcess } from "../../src/store/embedded-postgres/process-identity.ts";

/** How a program ended, and what it printed. */
export interface BoundedEnd {
  /** Null: it was ended by a signal. */
  readonly exitCode: number | null;
  /** Whether it was still running when its time was over, or at the abort signal. */
  readonly cut: boolean;
  readonly output: string;
}

/** Where a program runs, and for how long. */
export interface BoundedOptions {
  readonly cwd: string;
  readonly msMax: number;
  /** Ends it earlier. */
  readonly signal: AbortSignal;
  /** How long it has to clear up once it was told to end; by default 20 s. */
  readonly graceMs?: number;
}

const GRACE_MS = 20_000;

/**
 * Runs a program of Node. One that is cut is told to end, and after the grace everything that it
 * has started and that is left is killed: PostgreSQL, for one, is in a group of its own.
 */
export async function runBounded(
  words: readonly string[],
  { cwd, msMax, signal, graceMs = GRACE_MS }: BoundedOptions,
): Promise<BoundedEnd> {
  const child = spawn(process.execPath, words, {
    cwd,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  await once(child, "spawn");
  const { pid } = child;
  if (pid === undefined) throw new Error("a program without a number");
  const [exited, closed] = [once(child, "exit"), once(child, "close")];
  const cut = !(await isWithin(exited, msMax, signal));
  if (cut) {
    const tree = await listTree([pid]);
    child.kill("SIGTERM");
    await isWithin(exited, graceMs);
    await killTree([...tree, ...(await listTree(tree.map((one) => one.pid)))]);
  }
  signalProcess(-pid, "SIGKILL"); // One that crashes leaves its services behind, in its group.
  await closed;
  return { exitCode: child.exitCode, cut, output };
}

async function isWithin(
  done: Promise<unknown>,
  msMax: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const late = sleep(msMax, false, { ref: false, ...(signal && { signal }) }).catch(() => false);
  return await Promise.race([done.then(() => true), late]);
}

interface Member {
  readonly pid: number;
  /** Tells it from a later process of the same number. */
  readonly startedAt: string;
}

/** Lists processes with all that they have started, parents first. */
async function listTree(roots: readonly number[]): Promise<readonly Member[]> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid="]);
  const pairs = stdout
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const found = new Set(roots);
  for (const parent of found) {
    for (const [pid, ppid] of pairs) if (pid !== undefined && ppid === parent) found.add(pid);
  }
  const members = [...found].map(async (pid) => ({
    pid,
    startedAt: (await identifyProcess(pid))?.startedAt ?? "",
  }));
  return await Promise.all(members);
}

/** Parents go first, or they would start anew what has died. */
async function killTree(tree: readonly Member[]): Promise<void> {
  for (const { pid, startedAt } of tree) {
    const current = await identifyProcess(pid);
    if (current?.startedAt === startedAt) signalProcess(pid, "SIGKILL");
  }
}
