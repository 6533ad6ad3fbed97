import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Message } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { encodeEnvelope, type Serialization } from "@connectrpc/connect/protocol";
import * as connect from "@connectrpc/connect/protocol-connect";
import * as grpc from "@connectrpc/connect/protocol-grpc";
import { type ArrivedBody, parseEnvelope } from "./fast-request.ts";
import { NO_SNIFFING } from "./no-sniffing.ts";

/** How a call of a protocol is read without Connect's adapter, always in binary. */
export interface FastProtocol {
  readonly name: "grpc" | "connect";
  readonly timeoutHeader: string;
  /** Names the compression of the request. */
  readonly encodingHeader: string;
  readonly parseTimeout: typeof grpc.parseTimeout;
  /** Whether the message of a request stands in an envelope, which tells its length. */
  readonly isEnveloped: boolean;
  /** Reads the one message of a request. @throws {ConnectError} */
  parse<T extends Message>(
    body: ArrivedBody,
    serialization: Serialization<T>,
    messageBytesMax: number,
    headers: IncomingHttpHeaders,
  ): T | Promise<T>;
}

/** How the answers of a stream end. */
export interface StreamProtocol extends FastProtocol {
  /** What every answer begins with. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the end of an answer stands in trailers. */
  readonly hasTrailers: boolean;
  /** Ends an answer that has begun, well or with an error. */
  end(stream: ServerHttp2Stream, error: ConnectError | undefined): void;
}

const endStream = connect.createEndStreamSerialization(undefined);

/** What calls of gRPC have in common, whatever they stream. */
export const GRPC_REQUESTS = {
  name: "grpc",
  timeoutHeader: "grpc-timeout",
  encodingHeader: "grpc-encoding",
  parseTimeout: grpc.parseTimeout,
  isEnveloped: true,
} as const;

const GRPC: StreamProtocol = {
  ...GRPC_REQUESTS,
  headers: { "content-type": grpc.contentTypeProto },
  parse: (body, serialization, messageBytesMax) =>
    parseEnvelope(body, { kind: "server-streaming", serialization, messageBytesMax }),
  hasTrailers: true,
  end(stream, error) {
    const trailers = Object.fromEntries(grpc.setTrailerStatus(new Headers(), error));
    stream.once("wantTrailers", () => stream.sendTrailers(trailers));
    stream.end();
  },
};

const CONNECT: StreamProtocol = {
  name: "connect",
  headers: { "content-type": connect.contentTypeStreamProto, ...NO_SNIFFING },
  timeoutHeader: "connect-timeout-ms",
  encodingHeader: "connect-content-encoding",
  parseTimeout: connect.parseTimeout,
  isEnveloped: true,
  parse: (body, serialization, messageBytesMax) =>
    parseEnvelope(body, {
      kind: "server-streaming",
      serialization,
      messageBytesMax,
      endFlag: connect.endStreamFlag,
    }),
  hasTrailers: false,
  end(stream, error) {
    const end = { metadata: new Headers(), ...(error && { error }) };
    stream.end(encodeEnvelope(connect.endStreamFlag, endStream.serialize(end)));
  },
};

/** Finds the protocol of a streaming call; undefined if it is one for Connect's adapter. */
export function streamProtocolOf(contentType: string): StreamProtocol | undefined {
  if (grpc.parseContentType(contentType)?.binary === true) return GRPC;
  const type = connect.parseContentType(contentType);
  return type?.stream === true && type.binary ? CONNECT : undefined;
}
