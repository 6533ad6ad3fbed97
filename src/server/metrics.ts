import { collectDefaultMetrics, Registry } from "prom-client";
import type { Metric } from "../model/metric.ts";
import { mergeWorkers, metricsText, type WorkerMetrics } from "./metrics-text.ts";

/** The metrics of one process, and of the others that serve with it. */
export interface Metrics {
  /** All that this process can tell of itself. */
  own(): Promise<readonly Metric[]>;
  /** What a scrape gets: the metrics of all processes, as Prometheus reads them. */
  text(): Promise<string>;
}

/** Asks every process that serves, this one too; one that does not answer in time is left out. */
export type GatherMetrics = () => Promise<readonly WorkerMetrics[]>;

/** What {@link createMetrics} needs. */
export interface MetricsOptions {
  /** What a process tells of itself. */
  readonly ofProcess: () => readonly Metric[];
  /** What is the same for all processes, and so is told once. */
  readonly ofService: () => Promise<readonly Metric[]>;
  /** Absent: this process serves alone. */
  readonly gather?: GatherMetrics | undefined;
}

/**
 * Creates the metrics. What is counted is counted in plain numbers where it happens, and looked at
 * when somebody asks; those who ask at the same time get the same answer.
 */
export function createMetrics({ ofProcess, ofService, gather }: MetricsOptions): Metrics {
  const node = new Registry();
  collectDefaultMetrics({ register: node, prefix: "signet_" });
  let scrape: Promise<string> | undefined;

  async function own(): Promise<readonly Metric[]> {
    // They have the same form; its types leave out what its histograms have besides.
    return [...ofProcess(), ...((await node.getMetricsAsJSON()) as unknown as Metric[])];
  }

  async function ofProcesses(): Promise<readonly Metric[]> {
    return gather ? mergeWorkers(await gather()) : await own();
  }

  async function collect(): Promise<string> {
    const [processes, service] = await Promise.all([ofProcesses(), ofService()]);
    return await metricsText([...processes, ...service]);
  }

  return {
    own,
    text() {
      scrape ??= collect().finally(() => {
        scrape = undefined;
      });
      return scrape;
    },
  };
}
