import type { Worker } from "node:cluster";
import cluster from "node:cluster";
import { randomUUID } from "node:crypto";
import type { Metric } from "../model/metric.ts";
import type { GatherMetrics } from "../server/metrics.ts";
import type { WorkerMetrics } from "../server/metrics-text.ts";

/** What passes between a worker that is asked for metrics, the primary, and the other workers. */
type Message =
  | { readonly type: "gather_metrics"; readonly id: string }
  | { readonly type: "tell_metrics"; readonly id: string }
  | { readonly type: "own_metrics"; readonly id: string; readonly metrics: readonly Metric[] }
  | { readonly type: "all_metrics"; readonly id: string; readonly all: readonly WorkerMetrics[] };

/** Who has not answered by then is left out; scrapers wait for 10 s. */
const ANSWER_MS_MAX = 3_000;

/** Has the primary pass on the question of one worker to all, and the answers to that one. */
export function relayMetrics(): void {
  const open = new Map<string, Gathering>();
  cluster.on("message", (worker: Worker, message: Message) => {
    if (message.type === "gather_metrics") {
      const { id } = message;
      const asked = Object.values(cluster.workers ?? {}).filter((one) => one?.isConnected());
      const gathering = createGathering(asked.length, (all) => {
        open.delete(id);
        if (worker.isConnected()) worker.send({ type: "all_metrics", id, all } satisfies Message);
      });
      open.set(id, gathering);
      for (const one of asked) one?.send({ type: "tell_metrics", id } satisfies Message);
    } else if (message.type === "own_metrics") {
      open.get(message.id)?.add({ worker: worker.id, metrics: message.metrics });
    }
  });
}

interface Gathering {
  add(answer: WorkerMetrics): void;
}

function createGathering(count: number, onEnd: (all: readonly WorkerMetrics[]) => void): Gathering {
  const all: WorkerMetrics[] = [];
  const end = () => {
    clearTimeout(timer);
    onEnd(all);
  };
  const timer = setTimeout(end, ANSWER_MS_MAX);
  return {
    add(answer) {
      all.push(answer);
      if (all.length === count) end();
    },
  };
}

/** Returns what asks all workers, this one too, by way of the primary. */
export function askWorkers(): GatherMetrics {
  const waiting = new Map<string, (all: readonly WorkerMetrics[]) => void>();
  process.on("message", (message: Message) => {
    if (message.type === "all_metrics") waiting.get(message.id)?.(message.all);
  });
  return async () => {
    const id = randomUUID();
    const { promise, resolve } = Promise.withResolvers<readonly WorkerMetrics[]>();
    waiting.set(id, resolve);
    // The primary answers in any case, unless it ends.
    const timer = setTimeout(resolve, ANSWER_MS_MAX * 2, []);
    send({ type: "gather_metrics", id });
    const all = await promise;
    clearTimeout(timer);
    waiting.delete(id);
    return all;
  };
}

/** Has this worker answer when another is asked. */
export function tellMetrics(own: () => Promise<readonly Metric[]>): void {
  process.on("message", (message: Message) => {
    if (message.type !== "tell_metrics") return;
    const { id } = message;
    void own().then((metrics) => send({ type: "own_metrics", id, metrics }));
  });
}

function send(message: Message): void {
  if (process.connected) process.send?.(message);
}
