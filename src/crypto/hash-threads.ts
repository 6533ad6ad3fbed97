import { readdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";

/** Threads of libuv beside those that hash, as many as it has by default: files, names of hosts. */
const OTHER_THREADS = 4;

/**
 * A third of the weight of the main thread, which answers everybody. With less, logins would starve
 * beside other programs of the same machine.
 */
const NICENESS = 5;

/** Libuv gives its threads this name, which every tool shows; since its version 1.50. */
const POOL_THREAD = "libuv-worker";

/** Says how many threads libuv is to have, for so many to hash passwords at once. */
export function poolSizeFor(hashThreads: number): number {
  return hashThreads + OTHER_THREADS;
}

/**
 * Lowers the priority of libuv's threads below that of the main thread, and returns of how many it
 * did. It has to be called once they are there, which they are after the first hash.
 *
 * When all cores hash, the main thread and PostgreSQL still get theirs at once. Elsewhere than on
 * Linux threads have no priority of their own, and nothing is done.
 */
export function lowerPoolPriority(): number {
  if (process.platform !== "linux") return 0;
  return readdirSync("/proc/self/task").filter(isPoolThread).filter(lowerPriority).length;
}

function isPoolThread(thread: string): boolean {
  try {
    return readFileSync(`/proc/self/task/${thread}/comm`, "utf8").trim() === POOL_THREAD;
  } catch {
    return false; // It has ended since it was listed.
  }
}

function lowerPriority(thread: string): boolean {
  try {
    setPriority(Number(thread), NICENESS);
    return true;
  } catch {
    return false; // Forbidden in this container: slower answers under load, and no more than that.
  }
}
