import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { createServiceStateBoard } from "./domain/service-state.ts";
import type { Metric } from "./model/metric.ts";
import type { Endpoint } from "./server/http-endpoints.ts";
import { createMetrics, type GatherMetrics } from "./server/metrics.ts";
import { metricsEndpoint } from "./server/metrics-endpoint.ts";
import { createMetricsListener, type MetricsListener } from "./server/metrics-listener.ts";
import { metricsOfProcess, metricsOfService, type ProcessSources } from "./service-metrics.ts";
import type { Database } from "./store/database.ts";

/** How a process is looked at from outside. */
export interface Observation {
  /** What this process tells of itself. */
  own(): Promise<readonly Metric[]>;
  /** For the service's own address; absent: the metrics are elsewhere. */
  readonly endpoint: Endpoint | undefined;
  /** The address of the metrics alone; absent: there is none. */
  readonly listener: MetricsListener | undefined;
}

/** What {@link observeService} needs. */
export interface ObservationOptions {
  readonly config: Pick<Config, "metrics">;
  readonly db: Database;
  readonly log: Logger;
  readonly gatherMetrics?: GatherMetrics | undefined;
}

/** Makes what counts visible, where the configuration says so; undefined: nowhere. */
export function observeService(
  { config, db, log, gatherMetrics }: ObservationOptions,
  sources: ProcessSources,
): Observation | undefined {
  if (!config.metrics) return undefined;
  const { key, address } = config.metrics;
  const findState = createServiceStateBoard(db);
  const metrics = createMetrics({
    ofProcess: () => metricsOfProcess(sources),
    ofService: async () => metricsOfService(await findState()),
    gather: gatherMetrics,
  });
  const endpoint = metricsEndpoint(metrics, key);
  return {
    own: metrics.own,
    endpoint: address ? undefined : endpoint,
    listener: address && createMetricsListener(endpoint, address, log),
  };
}
