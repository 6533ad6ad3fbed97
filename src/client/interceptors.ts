import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { jitteredDelayMs, pause } from "./backoff.ts";
import type { Connection } from "./connection.ts";
import { namingLostConnection, retryDelayMsOf } from "./errors.ts";

/** Puts the credential into each call that brings none of its own; an empty key is none. */
export function withCredential(key: string | (() => string)): Interceptor {
  return (next) => (request) => {
    const credential = readKey(typeof key === "string" ? key : key());
    if (credential !== "" && !request.header.has("authorization")) {
      request.header.set("authorization", `Bearer ${credential}`);
    }
    return next(request);
  };
}

/**
 * Returns a key without the white space around it, as the line end of the file that it was in.
 *
 * @throws {TypeError} where it cannot stand in a header. Node would say so with the key in its
 *   message, and messages get into logs.
 */
export function readKey(text: string): string {
  const key = text.trim();
  if (/^[\x21-\x7e]*$/.test(key)) return key;
  throw new TypeError("the key has a character that no key has: was it copied as a whole?");
}

const ATTEMPTS_MAX = 3;
const BACKOFF = { firstMs: 100, longestMs: 1_000 };
const SERVER_DELAY_MS_MAX = 2_000;

/**
 * Repeats unary calls that may be repeated (IDEMPOTENT or NO_SIDE_EFFECTS in the contract) when
 * they end with UNAVAILABLE: at most twice, and within the deadline of the call.
 *
 * Nothing else is repeated. A server that sheds load would only get more of it.
 */
export const retryingUnavailable: Interceptor = (next) => async (request) => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await next(request);
    } catch (error) {
      const isRepeatable = !request.stream && mayRepeat(request.method.idempotency);
      const delayMs = retryDelayMsOf(error) + jitteredDelayMs(BACKOFF, attempt);
      if (!isRepeatable || !isUnavailable(error) || attempt === ATTEMPTS_MAX) throw error;
      if (delayMs > SERVER_DELAY_MS_MAX) throw error;
      await pause(delayMs, request.signal);
      if (request.signal.aborted) throw error;
    }
  }
};

/**
 * Gives a lost connection its one name, UNAVAILABLE, and leaves a connection on which a call
 * has reached its deadline with nothing received.
 */
export function watchingConnection(connection: Connection): Interceptor {
  return (next) => async (request) => {
    const startMs = performance.now();
    try {
      return await next(request);
    } catch (error) {
      if (isOverdue(request.signal)) connection.leaveIfSilentSince(startMs);
      throw namingLostConnection(error, request.signal.aborted);
    }
  };
}

function mayRepeat(idempotency: Idempotency): boolean {
  return idempotency !== Idempotency.IDEMPOTENCY_UNKNOWN;
}

function isUnavailable(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.Unavailable;
}

function isOverdue({ reason }: AbortSignal): boolean {
  return reason instanceof ConnectError && reason.code === Code.DeadlineExceeded;
}
