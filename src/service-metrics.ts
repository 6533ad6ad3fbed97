import type { HashQueue } from "./crypto/hash-queue.ts";
import type { CallLimits } from "./domain/call-limits.ts";
import type { ChangeReader } from "./domain/change-reader.ts";
import type { ServiceState } from "./domain/service-state.ts";
import type { WorkCounts } from "./jobs/work-counts.ts";
import { counter, gauge, type Metric, samplesBy, single } from "./model/metric.ts";
import type { CallCounts } from "./rpc/call-counts.ts";
import type { StreamEnds } from "./rpc/stream-ends.ts";
import type { ServerStats } from "./server/server.ts";
import type { Database, PoolState } from "./store/database.ts";

/** What a process counts, and where. */
export interface ProcessSources {
  readonly calls: Pick<CallCounts, "metrics">;
  readonly limits: Pick<CallLimits, "refused">;
  readonly hashQueue: Pick<HashQueue, "stats">;
  readonly db: Pick<Database, "pools">;
  readonly reader: Pick<ChangeReader, "position" | "isFresh">;
  readonly streams: Pick<StreamEnds, "counts">;
  readonly work: WorkCounts;
  readonly server: () => ServerStats;
}

/** Tells what one process knows of itself. */
export function metricsOfProcess(sources: ProcessSources): readonly Metric[] {
  const { calls, limits, db, reader, streams, work } = sources;
  const server = sources.server();
  return [
    ...calls.metrics(),
    ...hashMetrics(sources.hashQueue.stats()),
    ...poolMetrics(db.pools()),
    gauge("signet_open_calls", "Calls and streams that are open.", single(server.calls)),
    gauge("signet_connections", "Connections of clients.", single(server.connections)),
    counter(
      "signet_refused_calls_total",
      "Calls that were refused before they began: too many at once, or a shutdown.",
      single(server.refused),
    ),
    counter(
      "signet_rate_limit_refusals_total",
      "Calls over the limit, by whose limit: the source's or the Site's.",
      samplesBy("by", limits.refused()),
    ),
    gauge(
      "signet_streams",
      "Streams, polls and transfers, by kind.",
      samplesBy("kind", streams.counts()),
    ),
    gauge(
      "signet_reader_position",
      "The last position of the log read.",
      single(reader.position()),
    ),
    gauge(
      "signet_reader_fresh",
      "1 while the process sees the end of the log.",
      single(+reader.isFresh()),
    ),
    counter(
      "signet_jobs_total",
      "Jobs run, by outcome.",
      samplesBy("outcome", work.jobs.entries()),
    ),
    counter(
      "signet_mails_total",
      "Mails by what became of them.",
      samplesBy("outcome", work.mails.entries()),
    ),
    counter(
      "signet_webhook_attempts_total",
      "Posts to receivers, by outcome.",
      samplesBy("outcome", work.webhookAttempts.entries()),
    ),
  ];
}

function hashMetrics(stats: ReturnType<HashQueue["stats"]>): readonly Metric[] {
  return [
    gauge("signet_hash_queue_waiting", "Passwords that wait to be hashed.", single(stats.waiting)),
    gauge("signet_hash_queue_busy", "Passwords that are being hashed.", single(stats.running)),
    gauge(
      "signet_hash_seconds",
      "How long one hash takes, as a running average.",
      single(stats.hashMs / 1_000),
    ),
    counter("signet_hashes_total", "Passwords hashed.", single(stats.completedTotal)),
    counter(
      "signet_hash_queue_shed_total",
      "Refused since the wait would be too long.",
      single(stats.shedTotal),
    ),
    counter(
      "signet_hash_queue_dropped_total",
      "Given up by their callers first.",
      single(stats.droppedTotal),
    ),
  ];
}

function poolMetrics(pools: readonly PoolState[]): readonly Metric[] {
  const by = (value: (pool: PoolState) => number) =>
    samplesBy(
      "pool",
      pools.map((pool) => [pool.name, value(pool)]),
    );
  return [
    gauge(
      "signet_database_pool_size_max",
      "Connections that a pool may open.",
      by(({ sizeMax }) => sizeMax),
    ),
    gauge(
      "signet_database_pool_open",
      "Connections that a pool has open.",
      by(({ open }) => open),
    ),
    gauge(
      "signet_database_pool_in_use",
      "Connections in use.",
      by(({ inUse }) => inUse),
    ),
    gauge(
      "signet_database_pool_waiting",
      "Work that waits for a connection.",
      by(({ waiting }) => waiting),
    ),
  ];
}

/** Tells what the database knows of the whole service; without a state, that it is away. */
export function metricsOfService(state: ServiceState | undefined): readonly Metric[] {
  const up = gauge("signet_database_up", "1 if the database has answered.", single(state ? 1 : 0));
  if (!state) return [up];
  const { log, asOf } = state;
  const age = (since: Date | undefined) => ageSeconds(asOf, since);
  return [
    up,
    gauge("signet_change_log_head", "The last position of the log.", single(log.head)),
    gauge("signet_changes_unnumbered", "Changes that wait for a position.", single(log.unnumbered)),
    gauge(
      "signet_change_lag_seconds",
      "How long the oldest of them waits.",
      single(age(log.since)),
    ),
    ...mirrorMetrics(state),
    ...webhookMetrics(state),
    ...jobMetrics(state),
  ];
}

function mirrorMetrics({ mirrors, mirrorTotal, asOf }: ServiceState): readonly Metric[] {
  type MirrorValue = (mirror: ServiceState["mirrors"][number]) => number;
  const by = (value: MirrorValue) =>
    mirrors.map((mirror) => ({
      labels: { site: mirror.siteId, mirror: mirror.id },
      value: value(mirror),
    }));
  const age = (since: Date | undefined) => ageSeconds(asOf, since);
  return [
    gauge("signet_mirrors", "Mirrors of all Sites.", single(mirrorTotal)),
    gauge(
      "signet_mirror_lag_changes",
      "Changes a Mirror is behind.",
      by(({ lagChanges }) => lagChanges),
    ),
    gauge(
      "signet_mirror_lag_seconds",
      "Age of the first Change that a Mirror lacks.",
      by(({ firstLackedTime }) => age(firstLackedTime)),
    ),
    gauge(
      "signet_mirror_report_age_seconds",
      "Time since a Mirror's report.",
      by(({ reportTime }) => age(reportTime)),
    ),
    gauge(
      "signet_mirror_users_lacking",
      "Users that a Mirror lacked at its last Checkpoint; negative: it had some too many.",
      by(({ usersLacking }) => usersLacking),
    ),
    gauge(
      "signet_mirror_differences",
      "Rows that a Mirror's last comparison found wrong and did not repair.",
      by(({ differences }) => differences),
    ),
    gauge(
      "signet_mirror_diverged",
      "1 if a Mirror is known to be wrong.",
      by(({ diverged }) => +diverged),
    ),
    counter(
      "signet_mirror_foreign_writes_total",
      "Writes by others that a Mirror has refused so far.",
      by(({ foreignWrites }) => foreignWrites),
    ),
  ];
}

function webhookMetrics({ webhooks, asOf }: ServiceState): readonly Metric[] {
  const { byState, deliveries, pendingSince } = webhooks;
  return [
    gauge(
      "signet_webhooks",
      "Webhooks of all Sites, by state.",
      samplesBy("state", Object.entries(byState)),
    ),
    gauge(
      "signet_webhook_deliveries",
      "Deliveries that wait, that wait after a failure, and that were given up.",
      samplesBy("state", Object.entries(deliveries)),
    ),
    gauge(
      "signet_webhook_delay_seconds",
      "How long the oldest delivery waits.",
      single(ageSeconds(asOf, pendingSince)),
    ),
  ];
}

function jobMetrics({ jobs, asOf }: ServiceState): readonly Metric[] {
  const due = jobs.filter(({ state }) => state === "due");
  return [
    gauge(
      "signet_jobs",
      "Jobs in the queue, by task and state.",
      jobs.map(({ task, state, jobs: value }) => ({ labels: { task, state }, value })),
    ),
    gauge(
      "signet_job_delay_seconds",
      "How long the oldest job that is due waits, by task.",
      samplesBy(
        "task",
        due.map(({ task, since }) => [task, ageSeconds(asOf, since)]),
      ),
    ),
  ];
}

function ageSeconds(asOf: Date, since: Date | undefined): number {
  return since ? Math.max(0, asOf.getTime() - since.getTime()) / 1_000 : 0;
}
