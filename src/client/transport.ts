import type { Interceptor, Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { type Connection, createConnection } from "./connection.ts";
import { retryingUnavailable, watchingConnection, withCredential } from "./interceptors.ts";

/** How to reach Signet, and as whom. */
export interface TransportOptions {
  readonly url: string;
  readonly key: string | (() => string);
  readonly protocol: "connect" | "grpc";
}

/** A transport with a connection of its own. */
export interface OwnTransport extends Transport {
  /** Ends the connection and every call on it. */
  close(): void;
}

/** Signet's answers hold at most 4 MiB; the rest is room for a server newer than this client. */
const READ_BYTES_MAX = 8 * 1024 * 1024;

/**
 * Makes the transport of a client: unary calls, with the given deadline and retries, on one
 * connection, and streams, without a deadline, on another, so that a stream that is read slowly
 * does not use up the flow-control window of the calls.
 */
export function createClientTransport(options: TransportOptions, timeoutMs: number): OwnTransport {
  const calls = openTransport(options, { timeoutMs, interceptors: [retryingUnavailable] });
  const streams = createStreamTransport(options);
  return {
    unary: calls.unary,
    stream: streams.stream,
    close() {
      calls.close();
      streams.close();
    },
  };
}

/** Makes a transport for streams: no deadline, no retries, and nothing sent compressed. */
export function createStreamTransport(options: TransportOptions): OwnTransport {
  // All subscribers share the same encoded bytes: compressing them again for each is waste.
  return openTransport(options, { acceptCompression: [] });
}

interface TransportDetails {
  readonly timeoutMs?: number;
  readonly interceptors?: readonly Interceptor[];
  readonly acceptCompression?: [];
}

function openTransport(options: TransportOptions, details: TransportDetails): OwnTransport {
  const connection: Connection = createConnection(options.url);
  const common = {
    baseUrl: options.url,
    sessionManager: connection.sessions,
    interceptors: [
      withCredential(options.key),
      ...(details.interceptors ?? []),
      watchingConnection(connection),
    ],
    readMaxBytes: READ_BYTES_MAX,
    ...(details.acceptCompression && { acceptCompression: details.acceptCompression }),
    ...(details.timeoutMs === undefined ? {} : { defaultTimeoutMs: details.timeoutMs }),
  };
  const { unary, stream } =
    options.protocol === "grpc"
      ? createGrpcTransport(common)
      : createConnectTransport({ ...common, httpVersion: "2" });
  return { unary, stream, close: connection.close };
}
