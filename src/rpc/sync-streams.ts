import { SyncService } from "../../gen/signet/v1/sync_service_pb.ts";
import type { FrameStream } from "./frame-stream.ts";
import type { WatchDeps } from "./watch-deps.ts";
import { serveUserStream } from "./watch-users.ts";

type UserStreams = FrameStream<typeof SyncService.method.watchUsers.input>;

/** Returns the streams of `signet.v1.SyncService` whose frames need no adapter. */
export function syncStreams(users: WatchDeps): readonly FrameStream[] {
  const watchUsers: UserStreams = {
    method: SyncService.method.watchUsers,
    serve: (request, call, sink) => serveUserStream(users, request, call, sink),
  };
  return [watchUsers];
}
