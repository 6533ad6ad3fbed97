/** One value of a metric, told apart from the others by its labels. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** The name of the series where it is not the metric's, as in a histogram. */
  readonly metricName?: string;
}

/** A metric with all its values, as Prometheus has it. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly values: readonly Sample[];
}

/** Builds a metric that counts up. */
export function counter(name: string, help: string, values: readonly Sample[]): Metric {
  return { name, help, type: "counter", values };
}

/** Builds a metric that tells how things are. */
export function gauge(name: string, help: string, values: readonly Sample[]): Metric {
  return { name, help, type: "gauge", values };
}

/** Builds the values of a metric with one label from pairs of label and value. */
export function samplesBy(
  label: string,
  pairs: Iterable<readonly [labelValue: string, value: number]>,
): Sample[] {
  return Array.from(pairs, ([text, value]) => ({ labels: { [label]: text }, value }));
}

/** Builds the values of a metric without labels. */
export function single(value: number): Sample[] {
  return [{ labels: {}, value }];
}
