import type { ContextValues, ServiceImpl } from "@connectrpc/connect";
import type { SyncService } from "../../gen/signet/v1/sync_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import type { RevocationLog } from "../domain/revocation-log.ts";
import { invalidField } from "../model/failure.ts";
import { LIMITS } from "../model/limits.ts";
import { callerOf } from "./authorize.ts";
import { clientAddressOf } from "./client-address.ts";
import { digestCalls } from "./digest-calls.ts";
import { listChanges } from "./list-changes.ts";
import { queueMessages } from "./message-queue.ts";
import { mirrorCalls } from "./mirror-calls.ts";
import { parseWait } from "./poll-wait.ts";
import type { WatchDeps } from "./watch-deps.ts";
import { subscriberName } from "./watch-open.ts";
import { pollRevocations, type RevocationWatch, watchRevocations } from "./watch-revocations.ts";
import { serveUserStream } from "./watch-users.ts";

/** What the streams of a process are fed from. */
export interface SyncSources {
  /** What the streams of Users share. */
  readonly users: WatchDeps;
  readonly revocations: RevocationLog;
}

/** Implements `signet.v1.SyncService`. */
export function syncService(
  deps: Deps,
  { users, revocations: log }: SyncSources,
): Partial<ServiceImpl<typeof SyncService>> {
  const { streams, ends } = users;
  const sources = { deps, log, ends };

  return {
    ...mirrorCalls(deps),
    ...digestCalls(deps),

    async *watchUsers(request, { values, signal }) {
      const call = { caller: callerOf(values), clientAddress: clientAddressOf(values) };
      const letGo = ends.hold(); // What is queued has not been sent yet.
      try {
        yield* queueMessages(signal, (sink, leaving) =>
          serveUserStream(users, request, { ...call, signal: leaving }, sink),
        );
      } finally {
        letGo();
      }
    },

    async listChanges(request, { values, signal }) {
      const call = { caller: callerOf(values), clientAddress: clientAddressOf(values), signal };
      return await listChanges(users, request, call);
    },

    async *watchRevocations(request, { values, signal }) {
      const { watch, name } = await revocationWatch(deps, request, values, signal);
      const release = streams.take(name);
      signal.addEventListener("abort", release, { once: true });
      try {
        yield* watchRevocations(sources, watch);
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
        return await pollRevocations(sources, watch, { limit, waitMs });
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
  const name = subscriberName(caller, request.clientId, clientAddressOf(values));
  await deps.sites.get(siteId);
  return { watch: { caller, siteId, cursor: request.cursor, signal }, name: `revocations/${name}` };
}

function parsePageSize(pageSize: number): number {
  if (pageSize === 0) return LIMITS.revocationPageSizeMax;
  if (pageSize >= 1 && pageSize <= LIMITS.revocationPageSizeMax) return pageSize;
  throw invalidField("page_size", `must be from 1 to ${LIMITS.revocationPageSizeMax}`);
}
