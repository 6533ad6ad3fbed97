import type { ServiceImpl } from "@connectrpc/connect";
import type {
  SyncService,
  WatchRevocationsResponse,
  WatchUsersResponse,
} from "../../gen/signet/v1/sync_service_pb.ts";
import type { Deps } from "../domain/deps.ts";
import { invalidField } from "../model/failure.ts";
import { LIMITS } from "../model/limits.ts";
import { callerOf } from "./authorize.ts";
import { clientAddressOf } from "./client-address.ts";
import { digestCalls } from "./digest-calls.ts";
import { listChanges } from "./list-changes.ts";
import { queueMessages } from "./message-queue.ts";
import { mirrorCalls } from "./mirror-calls.ts";
import { peerCalls } from "./peer-calls.ts";
import { parseWait } from "./poll-wait.ts";
import type { SyncSources } from "./sync-streams.ts";
import { pollRevocations, serveRevocationStream } from "./watch-revocations.ts";
import { serveUserStream } from "./watch-users.ts";
import { webhookCalls } from "./webhook-calls.ts";

/** Implements `signet.v1.SyncService`. */
export function syncService(deps: Deps, sources: SyncSources): ServiceImpl<typeof SyncService> {
  const { users } = sources;
  const { ends } = users;

  return {
    ...mirrorCalls(deps),
    ...digestCalls(deps),
    ...webhookCalls(deps),
    ...peerCalls(deps),

    async *watchUsers(request, { values, signal }) {
      const call = { caller: callerOf(values), clientAddress: clientAddressOf(values) };
      const letGo = ends.hold(); // What is queued has not been sent yet.
      try {
        yield* queueMessages<WatchUsersResponse>(signal, (sink, leaving) =>
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
      const call = { caller: callerOf(values), clientAddress: clientAddressOf(values) };
      const letGo = ends.hold(); // What is queued has not been sent yet.
      try {
        yield* queueMessages<WatchRevocationsResponse>(signal, (sink, leaving) =>
          serveRevocationStream(sources, request, { ...call, signal: leaving }, sink),
        );
      } finally {
        letGo();
      }
    },

    async listRevocations(request, { values, signal }) {
      const limit = parsePageSize(request.pageSize);
      const waitMs = parseWait(request.waitSeconds) * 1_000;
      const call = { caller: callerOf(values), clientAddress: clientAddressOf(values), signal };
      return await pollRevocations(sources, request, call, { limit, waitMs });
    },
  };
}

function parsePageSize(pageSize: number): number {
  if (pageSize === 0) return LIMITS.revocationPageSizeMax;
  if (pageSize >= 1 && pageSize <= LIMITS.revocationPageSizeMax) return pageSize;
  throw invalidField("page_size", `must be from 1 to ${LIMITS.revocationPageSizeMax}`);
}
