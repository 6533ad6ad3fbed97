import type { ServerHttp2Stream } from "node:http2";
import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  pipe,
  readAllBytes,
  type Serialization,
  transformDecompressEnvelope,
  transformParseEnvelope,
  transformSplitEnvelope,
} from "@connectrpc/connect/protocol";
import type { EdgeLimits } from "./edge-limits.ts";
import { cutOff, tooSlow } from "./request-body.ts";
import { createTimeouts, type Timeouts } from "./timeouts.ts";

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
export type ReadRequest = (
  stream: ServerHttp2Stream,
  protocol: { readonly isEnveloped: boolean },
) => Promise<ArrivedBody>;

/** Creates the reader of such bodies. */
export function createRequestReader(bounds: Bounds): ReadRequest {
  const timeouts = createTimeouts(bounds.callTimeoutMsMax);
  return (stream, { isEnveloped }) => readBody(stream, isEnveloped, bounds, timeouts);
}

function readBody(
  stream: ServerHttp2Stream,
  isEnveloped: boolean,
  { messageBytesMax }: Bounds,
  timeouts: Timeouts,
): Promise<ArrivedBody> {
  // Room for a second message, which is told as an error of its own.
  const bytesMax = isEnveloped ? 2 * (ENVELOPE_BYTES + messageBytesMax) : messageBytesMax;
  return new Promise((resolve) => {
    let chunks: Buffer[] = [];
    let bytes = 0;
    let expected: number | undefined;
    let isSettled = false;
    const time = timeouts.start(() => settle(tooSlow()));
    const onEnd = (): void => settle(stream.aborted ? cutOff() : undefined);
    const onClose = (): void => {
      if (!isSettled) settle(cutOff());
    };
    function onData(chunk: Buffer): void {
      chunks.push(chunk);
      bytes += chunk.length;
      if (chunks.length > CHUNKS_MAX) chunks = [joined(chunks)];
      if (isEnveloped && bytes >= ENVELOPE_BYTES) expected ??= joined(chunks).readUInt32BE(1);
      if ((expected ?? 0) > messageBytesMax || bytes > bytesMax) settle(undefined);
    }
    function settle(failure: ConnectError | undefined): void {
      if (isSettled) return;
      isSettled = true;
      timeouts.stop(time);
      // After the end nothing comes any more, and taking listeners off takes its time.
      if (!stream.readableEnded) stream.off("data", onData);
      resolve({ bytes: joined(chunks), failure });
      chunks = [];
    }
    stream.on("data", onData).on("end", onEnd).on("close", onClose);
    if (stream.destroyed) onClose(); // It may have been closed before anybody listened.
  });
}

/** How to read a message out of its envelope. */
export interface EnvelopeRules<T extends Message> {
  /** The kind of the method, as Connect's adapter calls it. */
  readonly kind: "unary" | "server-streaming";
  readonly serialization: Serialization<T>;
  readonly messageBytesMax: number;
  /** Marks envelopes without a message, where the protocol has such. */
  readonly endFlag?: number;
}

/**
 * Reads the one message of a body of envelopes. What is not exactly one plain message goes through
 * the same functions as in Connect's adapter, so that each fault is told in the same words.
 *
 * @throws {ConnectError}
 */
export function parseEnvelope<T extends Message>(
  body: ArrivedBody,
  rules: EnvelopeRules<T>,
): T | Promise<T> {
  if (!isOneMessage(body)) return parseFaulty(body, rules);
  return rules.serialization.parse(body.bytes.subarray(ENVELOPE_BYTES));
}

async function parseFaulty<T extends Message>(
  body: ArrivedBody,
  { kind, serialization, messageBytesMax, endFlag }: EnvelopeRules<T>,
): Promise<T> {
  const messages = pipe(
    replay(body),
    transformSplitEnvelope(messageBytesMax),
    transformDecompressEnvelope(null, messageBytesMax),
    endFlag === undefined
      ? transformParseEnvelope(serialization)
      : transformParseEnvelope(serialization, endFlag),
  );
  let found: T | undefined;
  for await (const message of messages) {
    if (found !== undefined) throw protocolError("received extra input message", kind);
    found = message;
  }
  if (found === undefined) throw protocolError("missing input message", kind);
  return found;
}

/**
 * Reads the message that a body is, by the same rule.
 *
 * @throws {ConnectError}
 */
export function parsePlain<T extends Message>(
  body: ArrivedBody,
  serialization: Serialization<T>,
  messageBytesMax: number,
  contentLength: string | null,
): T | Promise<T> {
  const { bytes, failure } = body;
  const isWhole = contentLength === null || contentLength === `${bytes.length}`;
  const isFaulty = failure !== undefined || !isWhole || bytes.length > messageBytesMax;
  if (!isFaulty) return serialization.parse(bytes);
  return readAllBytes(replay(body), messageBytesMax, contentLength).then(serialization.parse);
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

function protocolError(problem: string, kind: string): ConnectError {
  return new ConnectError(`protocol error: ${problem} for ${kind} method`, Code.Unimplemented);
}
