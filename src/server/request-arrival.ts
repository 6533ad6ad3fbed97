import type { DescMethod } from "@bufbuild/protobuf";

/** Chunks are joined once there are so many: each costs far more than the byte it may hold. */
const CHUNKS_MAX = 256;

/** What {@link awaitRequest} must know of a request. */
export interface ArrivingRequest {
  readonly kind: DescMethod["methodKind"];
  readonly contentType: string;
  readonly messageBytesMax: number;
}

/**
 * Waits until a request is worth starting its call, and returns the same body once more.
 *
 * Connect's machinery takes 45 KiB for each call, Node's stream a quarter of that: so a single
 * message has to be complete, or clearly too large, and a stream of them has to have begun. An
 * error of the body, such as a client that is too slow, comes out of the returned body.
 */
export async function awaitRequest(
  body: AsyncGenerator<Uint8Array>,
  request: ArrivingRequest,
): Promise<AsyncIterable<Uint8Array>> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for (let next = await body.next(); next.done !== true; next = await body.next()) {
      chunks.push(next.value);
      bytes += next.value.length;
      if (chunks.length > CHUNKS_MAX) chunks.splice(0, chunks.length, Buffer.concat(chunks));
      if (mayStart(request, chunks, bytes)) return replay(chunks, body);
    }
  } catch (error) {
    return replay(chunks, failing(error));
  }
  return replay(chunks, body);
}

function mayStart(request: ArrivingRequest, chunks: readonly Uint8Array[], bytes: number): boolean {
  const { kind, contentType, messageBytesMax } = request;
  if (kind === "client_streaming" || kind === "bidi_streaming") return true;
  if (bytes > messageBytesMax) return true;
  const isEnveloped = /^application\/(?:grpc|connect\+)/.test(contentType);
  if (!isEnveloped || bytes < 5) return false;
  // The length of the message stands in bytes 1 to 4 of its envelope.
  return Buffer.concat(chunks.slice(0, 5)).readUInt32BE(1) > messageBytesMax;
}

async function* replay(
  chunks: readonly Uint8Array[],
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* chunks;
  yield* rest;
}

/** The rest of a body that has failed: nothing but its error. */
function failing(error: unknown): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) };
}
