import { type Metric as RegisteredMetric, Registry } from "prom-client";
import type { Metric } from "../model/metric.ts";

/** The metrics of one of several processes. */
export interface WorkerMetrics {
  readonly worker: number;
  readonly metrics: readonly Metric[];
}

/** The type of {@link metricsText}: the version that every Prometheus reads. */
export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/**
 * Puts the metrics of several processes together. Each value is labelled with its worker instead of
 * being added to the others: a sum falls when a worker is replaced, which Prometheus would take for
 * a start from 0 of all.
 */
export function mergeWorkers(workers: readonly WorkerMetrics[]): readonly Metric[] {
  const merged = new Map<string, Metric>();
  for (const { worker, metrics } of workers) {
    for (const metric of metrics) {
      const before = merged.get(metric.name)?.values ?? [];
      const labelled = metric.values.map(({ labels, ...sample }) => ({
        ...sample,
        labels: { ...labels, worker: `${worker}` },
      }));
      merged.set(metric.name, { ...metric, values: [...before, ...labelled] });
    }
  }
  return [...merged.values()];
}

/** Writes metrics as Prometheus reads them. */
export async function metricsText(metrics: readonly Metric[]): Promise<string> {
  const registry = new Registry();
  for (const metric of metrics) registry.registerMetric(toRegistered(metric));
  return await registry.metrics();
}

/** A registry asks for a name, and then for everything at once; it needs no more of a metric. */
function toRegistered(metric: Metric): RegisteredMetric {
  const registered = { name: metric.name, get: () => Promise.resolve(metric) };
  return registered as unknown as RegisteredMetric;
}
