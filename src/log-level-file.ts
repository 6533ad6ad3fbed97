import { readFile } from "node:fs/promises";
import { setInterval } from "node:timers";
import type { Logger } from "pino";
import { isLogLevel, type LogLevel } from "./config-variables.ts";

/** How often it is looked at. */
const LOOK_MS = 1_000;
const NAME_LENGTH_MAX = 16;

/**
 * Lets a file say how much is logged, while there is one: a level, such as `debug`. Without it, or
 * with something else in it, the level is the configured one. Each process looks for itself.
 */
export function followLogLevel(
  log: Logger,
  { path, configured }: { readonly path: string; readonly configured: LogLevel },
): { stop(): void } {
  let isLooking = false;

  async function look(): Promise<void> {
    if (isLooking) return; // A file system that hangs is asked once.
    isLooking = true;
    const text = await readFile(path, "utf8").catch(() => "");
    isLooking = false;
    const wanted = text.slice(0, NAME_LENGTH_MAX).trim();
    const level = isLogLevel(wanted) ? wanted : configured;
    if (log.level === level) return;
    log.level = level;
    log.warn({ level }, "log level changed");
  }

  const timer = setInterval(() => void look(), LOOK_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
