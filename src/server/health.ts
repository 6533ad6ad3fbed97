import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { type Health, HealthCheckResponse_ServingStatus } from "../../gen/health/v1/health_pb.ts";
import { createQuota } from "./quota.ts";
import type { Readiness } from "./readiness.ts";

/** What {@link healthService} needs. */
export interface HealthOptions {
  readonly readiness: Pick<Readiness, "isReady" | "onChange">;
  /** Full names of the services, known once all of them are registered. */
  readonly serviceNames: () => readonly string[];
  /** How many Watch streams may be open in all. */
  readonly watchesMax: number;
}

/**
 * Implements `grpc.health.v1.Health`: every service of this process is as healthy as the process,
 * whose name is the empty string.
 */
export function healthService(options: HealthOptions): ServiceImpl<typeof Health> {
  const { readiness, serviceNames } = options;
  const watches = createQuota({ total: options.watchesMax, perHolder: options.watchesMax });
  const isKnown = (service: string): boolean => service === "" || serviceNames().includes(service);
  const status = (): HealthCheckResponse_ServingStatus =>
    readiness.isReady()
      ? HealthCheckResponse_ServingStatus.SERVING
      : HealthCheckResponse_ServingStatus.NOT_SERVING;

  return {
    check({ service }) {
      if (!isKnown(service)) throw new ConnectError("unknown service", Code.NotFound);
      return { status: status() };
    },

    list() {
      const names = ["", ...serviceNames()];
      return { statuses: Object.fromEntries(names.map((name) => [name, { status: status() }])) };
    },

    async *watch({ service }, { signal }) {
      const giveBack = watches.take("");
      if (giveBack === undefined) {
        throw new ConnectError("too many health watches", Code.ResourceExhausted);
      }
      const changes = watchChanges(readiness, signal);
      try {
        // A watch of an unknown service stays open: the service might appear (health.proto).
        if (!isKnown(service)) {
          yield { status: HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN };
          await changes.ended;
          return;
        }
        for (let sent: unknown; !signal.aborted; ) {
          // Taken before the status is read: a change during the yield must not be missed.
          const change = changes.next();
          const current = status();
          if (current !== sent) yield { status: current };
          sent = current;
          await change;
        }
      } finally {
        changes.stop();
        giveBack();
      }
    },
  };
}

/** Waits for changes of readiness, each of which also the end of the call can cut short. */
function watchChanges(readiness: Pick<Readiness, "onChange">, signal: AbortSignal) {
  let changed = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const unsubscribe = readiness.onChange(() => {
    changed.resolve();
    changed = Promise.withResolvers<void>();
  });
  const stop = (): void => {
    unsubscribe();
    signal.removeEventListener("abort", stop);
    changed.resolve();
    ended.resolve();
  };
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop);
  return { next: () => changed.promise, ended: ended.promise, stop };
}
