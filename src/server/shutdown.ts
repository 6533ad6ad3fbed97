import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { Listener } from "./listener.ts";
import type { Log } from "./log.ts";
import type { OpenCalls } from "./open-calls.ts";
import type { Readiness } from "./readiness.ts";

/** How long a unary call under way may take once a drain has begun. */
const GRACE_MS = 10_000;

/** How long answers to calls that were ended may take to leave. */
const FLUSH_MS = 500;

/** What {@link createDrain} needs. */
export interface DrainOptions {
  readonly readiness: Pick<Readiness, "set">;
  readonly calls: OpenCalls;
  readonly listener: Listener;
  /** Lets streams that have a last word say it; resolves soon, whatever they do. */
  readonly endStreams?: (() => Promise<void>) | undefined;
  readonly log: Log;
}

/**
 * Returns what brings a server to rest: not ready, no new connections, streams ended with
 * UNAVAILABLE, unary calls finished or, after `graceMs` (default 10 s), ended too. It may be
 * called again; all calls wait for the same drain.
 */
export function createDrain(options: DrainOptions): (graceMs?: number) => Promise<void> {
  let drained: Promise<void> | undefined;
  return (graceMs = GRACE_MS) => {
    drained ??= drain(options, graceMs);
    return drained;
  };
}

/**
 * Returns the listener for `uncaughtException`: after an error that nobody expected the state of
 * the process is unknown, so it drains and exits with 1, and never goes on. A second error, or a
 * drain that hangs, ends it at once.
 */
export function createCrashHandler(options: {
  readonly log: Log;
  readonly drain: () => Promise<void>;
  readonly exit: (code: number) => void;
  readonly graceMs?: number;
}): (error: unknown) => void {
  const { log, drain, exit, graceMs = GRACE_MS + 5_000 } = options;
  let isEnding = false;
  return (error) => {
    log.error({ err: error }, "uncaught error");
    if (isEnding) return exit(1);
    isEnding = true;
    setTimeout(() => exit(1), graceMs).unref();
    drain().then(
      () => exit(1),
      () => exit(1),
    );
  };
}

async function drain(options: DrainOptions, graceMs: number): Promise<void> {
  const { readiness, calls, listener, log } = options;
  log.info({ calls: calls.count, connections: listener.connections }, "draining");
  readiness.set("not_draining", false);
  calls.refuseNew();
  const closed = listener.close(graceMs + FLUSH_MS);
  // Health watchers hear NOT_SERVING before their streams end.
  await nextTurn();
  await options.endStreams?.();
  await nextTurn(); // Those that ended just now are past the point where an abort would matter.
  calls.endStreams();
  const patience = new AbortController();
  const overtime = sleep(graceMs, undefined, { signal: patience.signal }).then(
    () => calls.endAll(),
    () => undefined,
  );
  await closed;
  patience.abort();
  await overtime;
  log.info({}, "drained");
}
