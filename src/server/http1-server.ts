import { createServer, type RequestListener, type Server } from "node:http";
import type { EdgeLimits } from "./edge-limits.ts";

/**
 * Makes an HTTP/1.1 server that is fed with sockets by `emit("connection")` and never listens.
 *
 * Without an `upgrade` or a `connect` listener, an upgrade is answered as an ordinary request and a
 * CONNECT closes the socket.
 */
export function createHttp1Server(limits: EdgeLimits, handle: RequestListener): Server {
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersMsMax,
      requestTimeout: limits.requestMsMax,
      connectionsCheckingInterval: limits.requestCheckMs,
      keepAliveTimeout: limits.keepAliveMs,
      requireHostHeader: true,
      insecureHTTPParser: false,
    },
    handle,
  );
  server.maxHeadersCount = limits.headersMax;
  server.maxRequestsPerSocket = 0;
  server.timeout = limits.socketIdleMsMax;
  // Node enforces headersTimeout and requestTimeout only from this event on.
  server.emit("listening");
  return server;
}
