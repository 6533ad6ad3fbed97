import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { WorkerProcess } from "./worker-process.ts";

/** One of the workers that there are to be, whichever process it is at the moment. */
export interface WorkerSlot {
  /** The first process of it. */
  readonly first: WorkerProcess;
  /** Has another process take over from this one; false if that does not become ready. */
  replace(): Promise<boolean>;
}

/** What a slot needs. */
export interface SlotOptions {
  readonly fork: () => WorkerProcess;
  /** Aborted when processes that end are to be left alone. */
  readonly signal: AbortSignal;
  readonly log: Pick<Logger, "error">;
  /** By default 100 ms. */
  readonly delayMsMin?: number;
}

const DELAY_MS_MIN = 100;
const DELAY_MS_MAX = 30_000;
/** Who has lived for so long does not die of how it was started. */
const SHORT_LIFE_MS = 60_000;

/** Starts a process, and another whenever it dies: soon, and later each time that it dies young. */
export function keepWorker(options: SlotOptions): WorkerSlot {
  const { fork, signal, log, delayMsMin = DELAY_MS_MIN } = options;
  const first = fork();
  let current = first;

  async function keep(): Promise<void> {
    for (let shortLives = 0; !signal.aborted; ) {
      const watched = current;
      const beginMs = performance.now();
      const end = await watched.ended;
      if (watched !== current) continue;
      if (signal.aborted) return;
      shortLives = performance.now() - beginMs < SHORT_LIFE_MS ? shortLives + 1 : 0;
      const delayMs = Math.min(delayMsMin * 2 ** shortLives, DELAY_MS_MAX);
      log.error({ worker: watched.id, ...end, delayMs }, "worker has ended: starting another");
      await sleep(delayMs, undefined, { signal }).catch(() => undefined);
      if (watched === current && !signal.aborted) current = fork();
    }
  }
  void keep();

  return {
    first,
    async replace() {
      const next = fork();
      if (!(await next.ready)) return false;
      const old = current;
      current = next;
      await old.stop();
      return true;
    },
  };
}
