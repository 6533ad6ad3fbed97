import { SyncService } from "../../gen/signet/v1/sync_service_pb.ts";
import type { RevocationLog } from "../domain/revocation-log.ts";
import type { FrameStream } from "./frame-stream.ts";
import type { WatchDeps } from "./watch-deps.ts";
import { serveRevocationStream } from "./watch-revocations.ts";
import { serveUserStream } from "./watch-users.ts";

/** What the streams of a process are fed from. */
export interface SyncSources {
  /** What the streams of Users share. */
  readonly users: WatchDeps;
  readonly revocations: RevocationLog;
}

type UserStreams = FrameStream<typeof SyncService.method.watchUsers.input>;
type RevocationStreams = FrameStream<typeof SyncService.method.watchRevocations.input>;

/** Returns the streams of `signet.v1.SyncService` whose frames need no adapter. */
export function syncStreams(sources: SyncSources): readonly FrameStream[] {
  const watchUsers: UserStreams = {
    method: SyncService.method.watchUsers,
    serve: (request, call, sink) => serveUserStream(sources.users, request, call, sink),
  };
  const watchRevocations: RevocationStreams = {
    method: SyncService.method.watchRevocations,
    serve: (request, call, sink) => serveRevocationStream(sources, request, call, sink),
  };
  return [watchUsers, watchRevocations];
}
