import type { ServerHttp2Stream } from "node:http2";
import type { ConnectError } from "@connectrpc/connect";
import {
  type AsyncIterableTransform,
  type EnvelopedMessage,
  encodeEnvelope,
  type Serialization,
  transformParseEnvelope,
} from "@connectrpc/connect/protocol";
import * as connect from "@connectrpc/connect/protocol-connect";
import * as grpc from "@connectrpc/connect/protocol-grpc";

/** A protocol whose calls are served without Connect's adapter, always in binary. */
export interface FastProtocol {
  readonly name: "grpc" | "connect";
  /** The content type of answers. */
  readonly contentType: string;
  readonly timeoutHeader: string;
  /** Names the compression of the request. */
  readonly encodingHeader: string;
  readonly parseTimeout: typeof grpc.parseTimeout;
  /** Passes over envelopes without a message, where the protocol has such. */
  parseEnvelopes<T>(serialization: Serialization<T>): AsyncIterableTransform<EnvelopedMessage, T>;
  /** Whether the end of an answer stands in trailers. */
  readonly hasTrailers: boolean;
  /** Ends an answer that has begun, well or with an error. */
  end(stream: ServerHttp2Stream, error: ConnectError | undefined): void;
}

const endStream = connect.createEndStreamSerialization(undefined);

const GRPC: FastProtocol = {
  name: "grpc",
  contentType: grpc.contentTypeProto,
  timeoutHeader: "grpc-timeout",
  encodingHeader: "grpc-encoding",
  parseTimeout: grpc.parseTimeout,
  parseEnvelopes: (serialization) => transformParseEnvelope(serialization),
  hasTrailers: true,
  end(stream, error) {
    const trailers = Object.fromEntries(grpc.setTrailerStatus(new Headers(), error));
    stream.once("wantTrailers", () => stream.sendTrailers(trailers));
    stream.end();
  },
};

const CONNECT: FastProtocol = {
  name: "connect",
  contentType: connect.contentTypeStreamProto,
  timeoutHeader: "connect-timeout-ms",
  encodingHeader: "connect-content-encoding",
  parseTimeout: connect.parseTimeout,
  parseEnvelopes: (serialization) => transformParseEnvelope(serialization, connect.endStreamFlag),
  hasTrailers: false,
  end(stream, error) {
    const end = { metadata: new Headers(), ...(error && { error }) };
    stream.end(encodeEnvelope(connect.endStreamFlag, endStream.serialize(end)));
  },
};

/** Finds the protocol of a streaming call; undefined if it is one for Connect's adapter. */
export function fastProtocolOf(contentType: string | undefined): FastProtocol | undefined {
  if (contentType === undefined) return undefined;
  if (grpc.parseContentType(contentType)?.binary === true) return GRPC;
  const type = connect.parseContentType(contentType);
  return type?.stream === true && type.binary ? CONNECT : undefined;
}
