import type { ServerHttp2Stream } from "node:http2";
import type { ConnectError } from "@connectrpc/connect";
import { type Compression, compressedFlag } from "@connectrpc/connect/protocol";
import * as connect from "@connectrpc/connect/protocol-connect";
import * as grpc from "@connectrpc/connect/protocol-grpc";
import type { HandlerFields } from "./fast-context.ts";
import { type FastProtocol, GRPC_REQUESTS } from "./fast-protocol.ts";
import { parseEnvelope, parsePlain } from "./fast-request.ts";
import { NO_SNIFFING } from "./no-sniffing.ts";

/** An answer that has not begun. */
export interface UnaryAnswer {
  readonly stream: ServerHttp2Stream;
  /** Filled until it begins. */
  readonly headers: Record<string, string>;
  readonly set: HandlerFields;
  /** What the client accepts; null: nothing. */
  readonly compression: Compression | null;
}

/** How the answer of a unary call looks. */
export interface UnaryProtocol extends FastProtocol {
  /** Names the compressions that the client accepts. */
  readonly acceptHeader: string;
  /** Begins the answer and returns its body. */
  succeed(answer: UnaryAnswer, message: Uint8Array): Uint8Array | Promise<Uint8Array>;
  fail(answer: UnaryAnswer, error: ConnectError): Uint8Array | Promise<Uint8Array>;
}

/** What is smaller is not worth the work; Connect's adapter has the same bound. */
const COMPRESS_BYTES_MIN = 1_024;
const NOTHING = new Uint8Array(0);
const STATUS_OK = { "grpc-status": grpc.grpcStatusOk };
const WITH_TRAILERS = { waitForTrailers: true };
const ENVELOPE_BYTES = 5;

const GRPC: UnaryProtocol = {
  ...GRPC_REQUESTS,
  acceptHeader: "grpc-accept-encoding",
  parse: (body, serialization, messageBytesMax) =>
    parseEnvelope(body, { kind: "unary", serialization, messageBytesMax }),
  succeed(answer, message) {
    const packed = compress(answer, message);
    return packed === undefined
      ? answerGrpc(answer, 0, message)
      : packed.then((bytes) => answerGrpc(answer, compressedFlag, bytes));
  },
  fail(answer, error) {
    beginGrpc(answer, trailersOf(error, answer.set.trailer));
    return NOTHING;
  },
};

function answerGrpc(answer: UnaryAnswer, flags: number, message: Uint8Array): Uint8Array {
  const { trailer } = answer.set;
  beginGrpc(answer, trailer ? copy(trailer, "", { ...STATUS_OK }) : STATUS_OK);
  // A piece of a common buffer: one of its own for each answer would cost more than the call.
  const bytes = Buffer.allocUnsafe(ENVELOPE_BYTES + message.length);
  bytes[0] = flags;
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, ENVELOPE_BYTES);
  return bytes;
}

/** What was told once of an error that is thrown again and again, as in a flood. */
const told = new WeakMap<ConnectError, Record<string, string>>();

function trailersOf(error: ConnectError, set: Headers | undefined): Record<string, string> {
  const known = set ? undefined : told.get(error);
  if (known) return known;
  const trailers = copy(grpc.setTrailerStatus(new Headers(set), error), "", {});
  if (!set) told.set(error, trailers);
  return trailers;
}

function beginGrpc(
  { stream, headers, set, compression }: UnaryAnswer,
  trailers: Readonly<Record<string, string>>,
): void {
  copy(set.header, "", headers);
  headers["content-type"] = grpc.contentTypeProto;
  if (compression) headers["grpc-encoding"] = compression.name;
  stream.respond(headers, WITH_TRAILERS);
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
}

const CONNECT: UnaryProtocol = {
  name: "connect",
  timeoutHeader: "connect-timeout-ms",
  encodingHeader: "content-encoding",
  acceptHeader: "accept-encoding",
  parseTimeout: connect.parseTimeout,
  isEnveloped: false,
  parse: (body, serialization, messageBytesMax, headers) =>
    parsePlain(body, serialization, messageBytesMax, headers["content-length"] ?? null),
  async succeed(answer, message) {
    return await beginWhole(answer, {
      status: 200,
      contentType: connect.contentTypeUnaryProto,
      message,
    });
  },
  async fail(answer, error) {
    copy(error.metadata, "", answer.headers);
    const status = connect.codeToHttpStatus(error.code);
    const message = connect.errorToJsonBytes(error, undefined);
    return await beginWhole(answer, { status, contentType: connect.contentTypeUnaryJson, message });
  },
};

async function beginWhole(
  answer: UnaryAnswer,
  { status, contentType, message }: WholeAnswer,
): Promise<Uint8Array> {
  const { stream, headers, set, compression } = answer;
  const packed = (await compress(answer, message)) ?? message;
  copy(set.header, "", headers);
  copy(set.trailer, "trailer-", headers);
  headers["content-type"] = contentType;
  if (packed !== message && compression) headers["content-encoding"] = compression.name;
  headers["content-length"] = `${packed.byteLength}`;
  stream.respond({ ":status": status, ...headers, ...NO_SNIFFING });
  return packed;
}

interface WholeAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly message: Uint8Array;
}

/** Undefined: it is sent as it is. */
function compress(
  { compression }: UnaryAnswer,
  bytes: Uint8Array,
): Promise<Uint8Array> | undefined {
  if (!compression || bytes.byteLength < COMPRESS_BYTES_MIN) return undefined;
  return compression.compress(bytes);
}

function copy(
  from: Headers | undefined,
  prefix: string,
  to: Record<string, string>,
): Record<string, string> {
  from?.forEach((value, name) => {
    to[`${prefix}${name}`] = value;
  });
  return to;
}

/** Finds the protocol of a unary call; undefined if it is one for Connect's adapter. */
export function unaryProtocolOf(contentType: string): UnaryProtocol | undefined {
  if (contentType === grpc.contentTypeProto || contentType === "application/grpc") return GRPC;
  if (grpc.parseContentType(contentType)?.binary === true) return GRPC;
  const type = connect.parseContentType(contentType);
  return type?.stream === false && type.binary ? CONNECT : undefined;
}
