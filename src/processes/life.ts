import { join } from "node:path";
import type { Logger } from "pino";
import type { Config } from "../config.ts";
import { isUnwrittenEnd } from "../jobs/job-runner.ts";
import { followLogLevel } from "../log-level-file.ts";
import { createCrashHandler } from "../server/shutdown.ts";

/** What a process is given for its life. */
export interface Life {
  readonly config: Config;
  readonly log: Logger;
  /** Says something to whoever runs the service. */
  readonly print: (text: string) => void;
  /** Aborted when the process is to end. */
  readonly signal: AbortSignal;
  /** Undone in reverse when the process ends, whatever stage it had reached. */
  readonly cleanups: (() => Promise<void> | void)[];
}

/** How a process lives. */
export interface LifeOptions extends Pick<Life, "config" | "log" | "print"> {
  /** Says why it cannot live. */
  readonly complain: (text: string) => void;
  /** What tells it to end. */
  readonly endings: readonly NodeJS.Signals[];
}

/** A process that was started has ended, and has said why itself. */
export class StartFailedError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("the first worker has ended before it was ready");
    this.name = "StartFailedError";
    this.exitCode = exitCode;
  }
}

/** Runs until a signal, or an error that nobody expected; returns the exit code. */
export async function live(
  { config, log, print, complain, endings }: LifeOptions,
  run: (life: Life) => Promise<void>,
): Promise<number> {
  const stopping = new AbortController();
  const { signal } = stopping;
  for (const ending of endings) process.on(ending, () => stopping.abort());
  const cleanups: (() => Promise<void> | void)[] = [];
  const cleanUp = async () => {
    for (let undo = cleanups.pop(); undo; undo = cleanups.pop()) await undo();
  };
  const path = join(config.dataDir, "log-level");
  cleanups.push(followLogLevel(log, { path, configured: config.logLevel }).stop);
  const crash = createCrashHandler({ log, drain: cleanUp, exit: process.exit });
  process.on("uncaughtException", crash).on("unhandledRejection", (error) => {
    if (isUnwrittenEnd(error)) log.error({ err: error }, "a job has ended, and is still queued");
    else crash(error);
  });
  try {
    await run({ config, log, print, signal, cleanups });
    return 0;
  } catch (error) {
    if (signal.aborted) return 0;
    log.fatal({ err: error }, "Signet cannot start");
    if (error instanceof StartFailedError) return error.exitCode;
    complain(`Signet cannot start: ${error instanceof Error ? error.message : "unknown"}`);
    return 1;
  } finally {
    await cleanUp();
  }
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
