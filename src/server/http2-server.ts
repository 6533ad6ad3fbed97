import {
  createServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import type { EdgeLimits } from "./edge-limits.ts";
import type { TakeStream } from "./fast-calls.ts";
import { keepSessionHealthy } from "./session-health.ts";

/** An HTTP/2 server that is fed with sockets by `emit("connection")` and never listens. */
export interface SessionServer {
  readonly server: Http2Server;
  readonly sessions: ReadonlySet<ServerHttp2Session>;
}

/** What answers the streams of HTTP/2. */
export interface Http2Handlers {
  /** Is asked first. */
  readonly take: TakeStream;
  readonly handle: (request: Http2ServerRequest, response: Http2ServerResponse) => void;
}

/** Makes an HTTP/2 server whose sessions are bounded in every dimension and checked for life. */
export function createHttp2Server(limits: EdgeLimits, handlers: Http2Handlers): SessionServer {
  const server = createServer({
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
  });
  // Makes requests and responses of the streams that it is fed with; it never has a session.
  const requests = createServer(handlers.handle);
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    keepSessionHealthy(session, limits);
    const { remoteAddress } = session.socket; // Slow to ask for, and always the same.
    session.on("stream", (stream, headers, flags, rawHeaders) => {
      if (handlers.take(stream, headers, rawHeaders, remoteAddress)) return;
      requests.emit("stream", stream, headers, flags, rawHeaders);
    });
  });
  return { server, sessions };
}
