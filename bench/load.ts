import { availableParallelism } from "node:os";
import { forkChild } from "./child-process.ts";
import type { HttpLoad } from "./http-load-generator.ts";
import type { Load, LoadResult } from "./load-generator.ts";
import { percentile } from "./statistics.ts";

/** How calls went under a load. */
export interface LoadSample {
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Processes that put a load on a server together. */
export interface LoadGenerators<Kind = Load> extends AsyncDisposable {
  /** Applies the load in each process at the same time. @throws if any call fails. */
  apply(load: Kind): Promise<LoadSample>;
}

/** An HTTP/2 client costs about what a bare server does: with one alone, both would be full. */
const GENERATORS_MAX = 2;

/** Starts the processes: two, where there are cores for them beside the server. */
export function startLoadGenerators(): LoadGenerators {
  const count = Math.max(1, Math.min(GENERATORS_MAX, availableParallelism() - 1));
  return startGenerators<Load>("load-generator.ts", count);
}

/** Starts one process that makes requests over HTTP/1.1: for a server behind a proxy. */
export function startHttpGenerator(): LoadGenerators<HttpLoad> {
  return startGenerators<HttpLoad>("http-load-generator.ts", 1);
}

function startGenerators<Kind>(file: string, count: number): LoadGenerators<Kind> {
  const program = new URL(file, import.meta.url);
  const generators = Array.from({ length: count }, () => forkChild<Kind, LoadResult>(program));
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
