import cluster from "node:cluster";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { DatabaseUrls } from "./database-at-start.ts";
import { closeHandedConnection } from "./handed-connection.ts";

/** What the primary tells a worker. */
export type Order =
  | {
      readonly type: "begin";
      readonly urls: DatabaseUrls;
      /** Whether to take connections before the database is ready, as nobody else does. */
      readonly opensAtOnce: boolean;
    }
  | { readonly type: "migrated" };

/** What a worker tells the primary. */
export interface Report {
  readonly type: "ready";
}

/** How a process has ended: by a code, or by a signal that it did not handle. */
export interface WorkerEnd {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
}

/** A process that serves. */
export interface WorkerProcess {
  /** Never that of another, also after its end. */
  readonly id: number;
  /** Resolves with whether it has become ready, or has ended before. */
  readonly ready: Promise<boolean>;
  /** Whether it has become ready and has not been told to stop. */
  isReady(): boolean;
  readonly ended: Promise<WorkerEnd>;
  order(order: Order): void;
  /** Has it drain and end, and ends it by force if it does not in time. */
  stop(): Promise<void>;
}

/** A drain takes at most 10.5 s, and jobs that do not listen 5 s. */
const STOP_MS_MAX = 18_000;

/** Starts another process of this program, on the same ports. */
export function forkWorker(log: Logger): WorkerProcess {
  // Connections go to the workers in turn: left to the system, few would get most of them.
  cluster.schedulingPolicy = cluster.SCHED_RR;
  // What migrates is none of their business.
  const worker = cluster.fork({ DATABASE_OWNER_URL: "" });
  closeHandedConnection(worker);
  const { id } = worker;
  let isReady = false;
  const ready = Promise.withResolvers<boolean>();
  const ended = Promise.withResolvers<WorkerEnd>();
  const end = (exitCode: number | null, signal: string | null): void => {
    isReady = false;
    ready.resolve(false);
    ended.resolve({ exitCode: exitCode ?? undefined, signal: signal ?? undefined });
  };
  worker.on("message", (report: Report) => {
    if (report.type !== "ready") return;
    isReady = true;
    log.info({ worker: id, pid: worker.process.pid }, "worker is ready");
    ready.resolve(true);
  });
  worker.on("error", (error) => {
    log.error({ err: error, worker: id }, "worker cannot be reached");
    if (worker.process.pid === undefined) end(null, null); // It never began.
  });
  worker.on("exit", end);
  return {
    id,
    ready: ready.promise,
    isReady: () => isReady,
    ended: ended.promise,
    order: (order) => worker.isConnected() && worker.send(order),
    async stop() {
      isReady = false;
      worker.process.kill("SIGTERM");
      const overtime = new AbortController();
      const inTime = await Promise.race([
        ended.promise,
        sleep(STOP_MS_MAX, undefined, { signal: overtime.signal }),
      ]);
      overtime.abort();
      if (inTime) return;
      log.error({ worker: id }, "worker does not end: it is killed");
      worker.process.kill("SIGKILL");
      await ended.promise;
    },
  };
}
