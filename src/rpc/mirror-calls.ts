import type { ServiceImpl } from "@connectrpc/connect";
import type { SyncService } from "../../gen/signet/v1/sync_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { deleteMirror, listMirrors, reportMirror } from "../domain/mirrors.ts";
import { openPageToken, sealPageToken } from "../domain/page-token.ts";
import { createSyncHealthBoard } from "../domain/sync-health.ts";
import { type MirrorId, parseId } from "../model/id.ts";
import { REPORT_INTERVAL_SECONDS } from "../model/sync-health.ts";
import { callerOf } from "./authorize.ts";
import { parseMirrorReport, toMirrorMessage } from "./convert-mirror.ts";
import { toSyncHealthMessage } from "./convert-sync-health.ts";
import { pageLimit } from "./pagination.ts";

/** Implements what `signet.v1.SyncService` has about Mirrors and the health of the sync. */
export function mirrorCalls(deps: Deps) {
  const board = createSyncHealthBoard(deps);
  return {
    async reportMirror(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const mirror = await reportMirror(deps, caller, siteId, parseMirrorReport(request));
      return {
        mirror: toMirrorMessage(mirror, deps.clock.now()),
        reportIntervalSeconds: REPORT_INTERVAL_SECONDS,
      };
    },

    async listMirrors(request, { values }) {
      const siteId = siteOf(callerOf(values), request.siteId);
      const limit = pageLimit(request.pageSize);
      const after = openPageToken<MirrorId>(deps, siteId, "mirrors", request.pageToken);
      const mirrors = await listMirrors(deps, siteId, { after, limit });
      const last = mirrors.length === limit ? mirrors.at(-1) : undefined;
      const now = deps.clock.now();
      return {
        mirrors: mirrors.map((mirror) => toMirrorMessage(mirror, now)),
        nextPageToken: last ? sealPageToken(deps, siteId, "mirrors", last.id) : "",
      };
    },

    async deleteMirror(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      await deleteMirror(deps, caller, siteId, parseId<MirrorId>(request.id, "id"));
      return {};
    },

    async getSyncHealth(request, { values }) {
      const siteId = siteOf(callerOf(values), request.siteId);
      return { health: toSyncHealthMessage(await board.get(siteId)) };
    },
  } satisfies Partial<ServiceImpl<typeof SyncService>>;
}
