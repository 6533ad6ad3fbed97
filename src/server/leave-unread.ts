import { constants, type ServerHttp2Stream } from "node:http2";
import type { NodeRequest } from "./request-target.ts";

/**
 * After an answer, gets rid of the rest of a request body that nobody wants.
 *
 * It is thrown away for a while before the client is cut off: a reset that overtakes the last
 * bytes of the answer, or its trailers, takes them out of the client's hands (RFC 9112 §9.6).
 * Over HTTP/2 only the stream ends, without an error (RFC 9113 §8.1).
 */
export function leaveUnread(request: NodeRequest, lingerMsMax: number): void {
  if (request.complete) return;
  if ("stream" in request) {
    leaveStreamUnread(request.stream, lingerMsMax);
    return;
  }
  const timer = setTimeout(() => request.socket.destroy(), lingerMsMax);
  request.once("end", () => clearTimeout(timer));
  request.once("close", () => clearTimeout(timer));
  request.resume();
}

/** Does the same for a stream of HTTP/2. */
export function leaveStreamUnread(stream: ServerHttp2Stream, lingerMsMax: number): void {
  if (stream.readableEnded || stream.closed || stream.destroyed) return;
  const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), lingerMsMax);
  stream.once("end", () => clearTimeout(timer));
  stream.once("close", () => clearTimeout(timer));
  stream.resume();
}

/**
 * Throws the body of an HTTP/1.1 request away before the answer that closes its connection: who
 * is cut off while it still writes may not see the answer. It is waited for only so long.
 */
export async function discardBody(request: NodeRequest, msMax: number): Promise<void> {
  if ("stream" in request || request.complete || request.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, msMax);
  request.once("end", resolve);
  request.once("close", resolve);
  request.resume();
  await promise;
  clearTimeout(timer);
}
