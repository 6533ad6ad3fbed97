import type { ServerHttp2Stream } from "node:http2";
import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  pipe,
  type Serialization,
  transformDecompressEnvelope,
  transformSplitEnvelope,
} from "@connectrpc/connect/protocol";
import type { EdgeLimits } from "./edge-limits.ts";
import type { FastProtocol } from "./fast-protocol.ts";
import { cutOff, tooSlow } from "./request-body.ts";

/** As much of a body as there is a use for, and why there is not more. */
export interface ArrivedBody {
  readonly bytes: Buffer;
  readonly failure: ConnectError | undefined;
}

type Bounds = Pick<EdgeLimits, "callTimeoutMsMax" | "messageBytesMax">;

const ENVELOPE_BYTES = 5;
/** Chunks are joined once there are so many: each costs far more than the byte it may hold. */
const CHUNKS_MAX = 256;

/** Reads the body of a call with one message, in bounded time and memory; never fails. */
export function readRequest(
  stream: ServerHttp2Stream,
  { callTimeoutMsMax, messageBytesMax }: Bounds,
): Promise<ArrivedBody> {
  // Room for a second message, which is told as an error of its own.
  const bytesMax = 2 * (ENVELOPE_BYTES + messageBytesMax);
  return new Promise((resolve) => {
    let chunks: Buffer[] = [];
    let bytes = 0;
    let expected: number | undefined;
    const timer = setTimeout(() => settle(tooSlow()), callTimeoutMsMax);
    const onEnd = (): void => settle(stream.aborted ? cutOff() : undefined);
    const onClose = (): void => settle(cutOff());
    function onData(chunk: Buffer): void {
      chunks.push(chunk);
      bytes += chunk.length;
      if (chunks.length > CHUNKS_MAX) chunks = [joined(chunks)];
      if (bytes >= ENVELOPE_BYTES) expected ??= joined(chunks).readUInt32BE(1);
      if ((expected ?? 0) > messageBytesMax || bytes > bytesMax) settle(undefined);
    }
    function settle(failure: ConnectError | undefined): void {
      clearTimeout(timer);
      stream.off("data", onData).off("end", onEnd).off("close", onClose);
      resolve({ bytes: joined(chunks), failure });
    }
    stream.on("data", onData).on("end", onEnd).on("close", onClose);
    if (stream.destroyed) onClose(); // It may have been closed before anybody listened.
  });
}

/**
 * Reads the one message of a body. What is not exactly one plain message goes through the same
 * functions as in Connect's adapter, so that each fault is told in the same words.
 *
 * @throws {ConnectError}
 */
export async function parseRequest<T extends Message>(
  body: ArrivedBody,
  protocol: FastProtocol,
  serialization: Serialization<T>,
  messageBytesMax: number,
): Promise<T> {
  if (isOneMessage(body)) return serialization.parse(body.bytes.subarray(ENVELOPE_BYTES));
  const messages = pipe(
    replay(body),
    transformSplitEnvelope(messageBytesMax),
    transformDecompressEnvelope(null, messageBytesMax),
    protocol.parseEnvelopes(serialization),
  );
  let found: T | undefined;
  for await (const message of messages) {
    if (found !== undefined) throw protocolError("received extra input message");
    found = message;
  }
  if (found === undefined) throw protocolError("missing input message");
  return found;
}

function isOneMessage({ bytes, failure }: ArrivedBody): boolean {
  if (failure !== undefined || bytes.length < ENVELOPE_BYTES) return false;
  return bytes.readUInt8(0) === 0 && bytes.readUInt32BE(1) === bytes.length - ENVELOPE_BYTES;
}

async function* replay({ bytes, failure }: ArrivedBody): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
  if (failure !== undefined) throw failure;
}

function joined(chunks: readonly Buffer[]): Buffer {
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}

function protocolError(problem: string): ConnectError {
  const text = `protocol error: ${problem} for server-streaming method`;
  return new ConnectError(text, Code.Unimplemented);
}
