import type { ServiceImpl } from "@connectrpc/connect";
import { type SyncService, WatchStart } from "../../gen/signet/v1/sync_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import type { Caller } from "../model/caller.ts";
import { invalidField } from "../model/failure.ts";
import { LIMITS } from "../model/limits.ts";
import { parseText } from "../model/text.ts";
import { callerOf } from "./authorize.ts";
import type { ChangeRing } from "./change-ring.ts";
import { clientAddressOf } from "./client-address.ts";
import { createStreamSlots } from "./stream-slots.ts";
import { parseWatchScope } from "./watch-scope.ts";
import { watchUsers } from "./watch-users.ts";

const HEARTBEAT_SECONDS_MAX = 15;

/** Implements `signet.v1.SyncService`. */
export function syncService(
  deps: Deps,
  { ring, epoch }: { readonly ring: ChangeRing; readonly epoch: () => number },
): Partial<ServiceImpl<typeof SyncService>> {
  const streams = createStreamSlots({
    eachMax: LIMITS.streamsPerClientMax,
    totalMax: LIMITS.streamsMax,
    refusal: "too_many_streams",
    retryDelayMs: 5_000,
  });
  const snapshots = createStreamSlots({
    eachMax: LIMITS.snapshotsPerClientMax,
    totalMax: LIMITS.snapshotsMax,
    refusal: "catch_up_busy",
    retryDelayMs: 1_000,
  });
  const shared = { deps, ring, epoch, snapshots };

  return {
    async *watchUsers(request, { values, signal }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const scope = parseWatchScope(request.filter, caller);
      const heartbeatSeconds = parseHeartbeat(request.heartbeatSeconds);
      const clientId = parseText(request.clientId, "client_id", { max: LIMITS.clientIdLengthMax });
      await deps.sites.get(siteId);
      const clientName = [callerName(caller), clientId || clientAddressOf(values)].join("/");
      const release = streams.take(clientName);
      signal.addEventListener("abort", release, { once: true });
      try {
        yield* watchUsers(shared, {
          caller,
          siteId,
          scope,
          cursor: request.cursor,
          snapshot: request.start !== WatchStart.HEAD,
          clientName,
          heartbeatSeconds,
          signal,
        });
      } finally {
        release();
      }
    },
  };
}

function parseHeartbeat(seconds: number): number {
  if (seconds === 0) return HEARTBEAT_SECONDS_MAX;
  if (seconds >= 1 && seconds <= HEARTBEAT_SECONDS_MAX) return seconds;
  throw invalidField("heartbeat_seconds", `must be from 1 to ${HEARTBEAT_SECONDS_MAX}`);
}

function callerName(caller: Caller): string {
  return caller.kind === "site_key" ? caller.keyId : caller.kind;
}
