import { constants } from "node:http2";
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
  const isHttp2 = "stream" in request;
  const source = isHttp2 ? request.stream : request;
  const timer = setTimeout(() => {
    if (isHttp2) request.stream.close(constants.NGHTTP2_NO_ERROR);
    else request.socket.destroy();
  }, lingerMsMax);
  source.once("end", () => clearTimeout(timer));
  source.once("close", () => clearTimeout(timer));
  request.resume();
}
