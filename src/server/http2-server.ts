import {
  createServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import type { EdgeLimits } from "./edge-limits.ts";
import { keepSessionHealthy } from "./session-health.ts";

/** An HTTP/2 server that is fed with sockets by `emit("connection")` and never listens. */
export interface SessionServer {
  readonly server: Http2Server;
  readonly sessions: ReadonlySet<ServerHttp2Session>;
}

/** Makes an HTTP/2 server whose sessions are bounded in every dimension and checked for life. */
export function createHttp2Server(
  limits: EdgeLimits,
  handle: (request: Http2ServerRequest, response: Http2ServerResponse) => void,
): SessionServer {
  const server = createServer(
    {
      maxSessionMemory: limits.sessionMegabytesMax,
      maxHeaderListPairs: limits.headersMax,
      maxSettings: limits.settingsEntriesMax,
      maxOutstandingPings: limits.pingsOutstandingMax,
      maxSessionInvalidFrames: limits.invalidFramesMax,
      maxSessionRejectedStreams: limits.rejectedStreamsMax,
      streamResetBurst: limits.streamResetBurstMax,
      streamResetRate: limits.streamResetsPerSecondMax,
      settings: {
        maxConcurrentStreams: limits.streamsPerConnectionMax,
        maxHeaderListSize: limits.headerBytesMax,
        enableConnectProtocol: false,
      },
    },
    handle,
  );
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    keepSessionHealthy(session, limits);
  });
  return { server, sessions };
}
