import { availableParallelism } from "node:os";
import { forkChild } from "./child-process.ts";
import type { Load, LoadResult } from "./load-generator.ts";
import { percentile } from "./statistics.ts";

/** How calls went under a load. */
export interface LoadSample {
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Processes that put a load on a server together. */
export interface LoadGenerators extends AsyncDisposable {
  /** Applies the load in each process at the same time. @throws if any call fails. */
  apply(load: Load): Promise<LoadSample>;
}

/** An HTTP/2 client costs about what a bare server does: with one alone, both would be full. */
const GENERATORS_MAX = 2;

/** Starts the processes: two, where there are cores for them beside the server. */
export function startLoadGenerators(): LoadGenerators {
  const count = Math.max(1, Math.min(GENERATORS_MAX, availableParallelism() - 1));
  const program = new URL("load-generator.ts", import.meta.url);
  const generators = Array.from({ length: count }, () => forkChild<Load, LoadResult>(program));
  return {
    async apply(load) {
      const results = await Promise.all(generators.map((generator) => generator.ask(load)));
      return summarize(results);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(generators.map((generator) => generator[Symbol.asyncDispose]()));
    },
  };
}

function summarize(results: readonly LoadResult[]): LoadSample {
  const callMs = results.flatMap((result) => [...result.callMs]);
  const rates = results.map(({ callMs: { length }, ms }) => length / (ms / 1_000));
  return {
    callsPerSecond: rates.reduce((sum, rate) => sum + rate, 0),
    p50Ms: percentile(callMs, 0.5),
    p99Ms: percentile(callMs, 0.99),
  };
}
