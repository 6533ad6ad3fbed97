import type { Interceptor } from "@connectrpc/connect";
import { iterateUntilAborted, untilAborted } from "./until-aborted.ts";

/**
 * Ends a call when its signal is aborted: the deadline has passed, the client has left, or the
 * server is draining. Connect only tells the handler, and waits for it however long it takes.
 *
 * It is the innermost interceptor, so that the others see how the call really ended.
 */
export const endWithSignal: Interceptor = (next) => async (request) => {
  const response = await untilAborted(request.signal, next(request));
  if (!response.stream) return response;
  return { ...response, message: iterateUntilAborted(request.signal, response.message) };
};
