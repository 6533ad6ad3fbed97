import type { RequestListener } from "node:http";
import type { Socket } from "node:net";
import type { EdgeLimits } from "./edge-limits.ts";
import { createHttp1Server } from "./http1-server.ts";
import { createHttp2Server, type Http2Handlers } from "./http2-server.ts";
import type { WireProtocol } from "./protocol-sniffer.ts";

/** What answers the requests of each protocol. */
export interface NodeHandlers {
  readonly http1: RequestListener;
  readonly http2: Http2Handlers;
}

/** The two versions of HTTP, served on sockets that somebody else has accepted. */
export interface ProtocolServers {
  /** Serves a socket from now on; destroys it once `retire` was called. */
  serve(socket: Socket, protocol: WireProtocol): void;
  /** Closes every connection as soon as no call is under way on it. */
  retire(): void;
  /** Stops the timers, once no connection is left. */
  stop(): void;
}

/** How often idle HTTP/1.1 connections are looked for once the servers retire. */
const SWEEP_MS = 50;

/** Makes both servers. */
export function createProtocolServers(handlers: NodeHandlers, limits: EdgeLimits): ProtocolServers {
  const http1 = createHttp1Server(limits, handlers.http1);
  const http2 = createHttp2Server(limits, handlers.http2);
  let sweep: NodeJS.Timeout | undefined;

  return {
    serve(socket, protocol) {
      if (sweep !== undefined) {
        socket.destroy();
      } else if (protocol === "http/2") {
        // A client that ends its side has left: HTTP/2 has no use for half a connection.
        socket.allowHalfOpen = false;
        http2.server.emit("connection", socket);
      } else {
        http1.emit("connection", socket);
      }
    },
    retire() {
      for (const session of http2.sessions) session.close();
      http1.closeIdleConnections();
      sweep ??= setInterval(() => http1.closeIdleConnections(), SWEEP_MS);
    },
    stop() {
      clearInterval(sweep);
      http1.close();
      http2.server.close();
    },
  };
}
