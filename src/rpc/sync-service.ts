import type { ContextValues, ServiceImpl } from "@connectrpc/connect";
import { type SyncService, WatchStart } from "../../gen/signet/v1/sync_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import type { RevocationLog } from "../domain/revocation-log.ts";
import type { Caller } from "../model/caller.ts";
import { invalidField } from "../model/failure.ts";
import { LIMITS } from "../model/limits.ts";
import { parseText } from "../model/text.ts";
import { callerOf } from "./authorize.ts";
import type { ChangeRing } from "./change-ring.ts";
import { clientAddressOf } from "./client-address.ts";
import { createStreamSlots } from "./stream-slots.ts";
import { pollRevocations, type RevocationWatch, watchRevocations } from "./watch-revocations.ts";
import { parseWatchScope } from "./watch-scope.ts";
import { watchUsers } from "./watch-users.ts";

const HEARTBEAT_SECONDS_MAX = 15;

/** What the streams of a process are fed from. */
export interface SyncSources {
  readonly ring: ChangeRing;
  readonly epoch: () => number;
  readonly revocations: RevocationLog;
}

/** Implements `signet.v1.SyncService`. */
export function syncService(
  deps: Deps,
  { ring, epoch, revocations }: SyncSources,
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

    async *watchRevocations(request, { values, signal }) {
      const { watch, name } = await revocationWatch(deps, request, values, signal);
      const release = streams.take(name);
      signal.addEventListener("abort", release, { once: true });
      try {
        yield* watchRevocations(deps, revocations, watch);
      } finally {
        release();
      }
    },

    async listRevocations(request, { values, signal }) {
      const limit = parsePageSize(request.pageSize);
      const waitMs = parseWait(request.waitSeconds) * 1_000;
      const { watch, name } = await revocationWatch(deps, request, values, signal);
      const release = waitMs > 0 ? streams.take(name) : undefined;
      try {
        return await pollRevocations(deps, revocations, watch, { limit, waitMs });
      } finally {
        release?.();
      }
    },
  };
}

interface RevocationRequest {
  readonly siteId: string;
  readonly cursor: string;
  readonly clientId: string;
}

/** Reads what both calls about revocations have in common; they are counted together. */
async function revocationWatch(
  deps: Deps,
  request: RevocationRequest,
  values: ContextValues,
  signal: AbortSignal,
): Promise<{ readonly watch: RevocationWatch; readonly name: string }> {
  const caller = callerOf(values);
  const siteId = siteOf(caller, request.siteId);
  const clientId = parseText(request.clientId, "client_id", { max: LIMITS.clientIdLengthMax });
  await deps.sites.get(siteId);
  const name = ["revocations", callerName(caller), clientId || clientAddressOf(values)].join("/");
  return { watch: { caller, siteId, cursor: request.cursor, signal }, name };
}

function parsePageSize(pageSize: number): number {
  if (pageSize === 0) return LIMITS.revocationPageSizeMax;
  if (pageSize >= 1 && pageSize <= LIMITS.revocationPageSizeMax) return pageSize;
  throw invalidField("page_size", `must be from 1 to ${LIMITS.revocationPageSizeMax}`);
}

function parseWait(seconds: number): number {
  if (seconds >= 0 && seconds <= LIMITS.pollSecondsMax) return seconds;
  throw invalidField("wait_seconds", `must be from 0 to ${LIMITS.pollSecondsMax}`);
}

function parseHeartbeat(seconds: number): number {
  if (seconds === 0) return HEARTBEAT_SECONDS_MAX;
  if (seconds >= 1 && seconds <= HEARTBEAT_SECONDS_MAX) return seconds;
  throw invalidField("heartbeat_seconds", `must be from 1 to ${HEARTBEAT_SECONDS_MAX}`);
}

function callerName(caller: Caller): string {
  return caller.kind === "site_key" ? `${caller.siteId}/${caller.keyId}` : caller.kind;
}
