import type { Life } from "./life.ts";
import { askWorkers, tellMetrics } from "./metrics-exchange.ts";
import { findKeys, serve } from "./serve.ts";
import type { Order, Report } from "./worker-process.ts";

/** Runs the service in one of several processes, by the orders of the primary. */
export async function serveAsWorker(life: Life): Promise<void> {
  const { config, signal, cleanups } = life;
  // The last of all: the channel to the primary would keep the process alive.
  cleanups.push(() => process.channel?.unref());
  // They reach the whole group of a terminal: it is for the primary to act on them.
  process.on("SIGINT", ignore).on("SIGUSR2", ignore);
  const orders = receiveOrders(signal);
  const { urls, opensAtOnce } = await orders.begin;
  await serve(life, {
    urls,
    keys: await findKeys(config),
    migrated: () => orders.migrated,
    opensAtOnce,
    onReady: () => report({ type: "ready" }),
    metrics: { ask: askWorkers(), tell: tellMetrics },
  });
}

/** What the primary says, each once; they fail when the process is to end before. */
function receiveOrders(signal: AbortSignal) {
  const begin = Promise.withResolvers<Extract<Order, { readonly type: "begin" }>>();
  const migrated = Promise.withResolvers<void>();
  process.on("message", (order: Order) => {
    if (order.type === "begin") begin.resolve(order);
    if (order.type === "migrated") migrated.resolve();
  });
  signal.addEventListener("abort", () => {
    begin.reject(signal.reason);
    migrated.reject(signal.reason);
  });
  migrated.promise.catch(ignore); // Nobody may be waiting for it any more.
  return { begin: begin.promise, migrated: migrated.promise };
}

function report(message: Report): void {
  process.send?.(message);
}

function ignore(): void {}
