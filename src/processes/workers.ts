import type { Logger } from "pino";
import { StartFailedError } from "./life.ts";
import type { WorkerProcess } from "./worker-process.ts";
import { keepWorker, type WorkerSlot } from "./worker-slot.ts";

/** The processes that serve. */
export interface Workers {
  /**
   * Starts them, the first alone: what is wrong with it is wrong with all.
   *
   * @throws {StartFailedError} if the first has ended before it was ready.
   */
  start(): Promise<void>;
  /** Replaces them one by one; asked again meanwhile, it does so once more. Never throws. */
  replace(): void;
  /** Ends them all. */
  stop(): Promise<void>;
  /** Those that run, in the order in which they were started. */
  running(): readonly WorkerProcess[];
}

/** What {@link createWorkers} needs. */
export interface WorkersOptions {
  readonly count: number;
  readonly fork: () => WorkerProcess;
  readonly log: Pick<Logger, "info" | "error">;
  /** How soon another takes the place of one that has died; by default 100 ms. */
  readonly delayMsMin?: number;
}

/** Keeps so many processes running. */
export function createWorkers(options: WorkersOptions): Workers {
  const { count, log, delayMsMin } = options;
  const running = new Set<WorkerProcess>();
  const stopping = new AbortController();
  const { signal } = stopping;
  const slots: WorkerSlot[] = [];
  let replacing = Promise.resolve();
  let isReplaceDue = false;

  function fork(): WorkerProcess {
    const worker = options.fork();
    running.add(worker);
    void worker.ended.then(() => running.delete(worker));
    return worker;
  }

  function addSlot(): WorkerSlot {
    const slot = keepWorker({ fork, signal, log, ...(delayMsMin && { delayMsMin }) });
    slots.push(slot);
    return slot;
  }

  async function replaceAll(): Promise<void> {
    isReplaceDue = false;
    log.info({ workers: slots.length }, "replacing the workers");
    for (const slot of slots) {
      if (signal.aborted) return;
      if (!(await slot.replace())) {
        if (!signal.aborted) log.error("a new worker does not start: the others stay");
        return;
      }
    }
    log.info({ workers: slots.length }, "the workers are replaced");
  }

  return {
    async start() {
      const { first } = addSlot();
      if (!(await first.ready)) {
        stopping.abort();
        throw new StartFailedError((await first.ended).exitCode || 1);
      }
      while (slots.length < count && !signal.aborted) addSlot();
      await Promise.all(slots.map((slot) => slot.first.ready));
    },
    replace() {
      if (isReplaceDue) return;
      isReplaceDue = true;
      replacing = replacing.then(replaceAll);
    },
    async stop() {
      stopping.abort();
      await Promise.all([...running].map((worker) => worker.stop()));
    },
    running: () => [...running],
  };
}
