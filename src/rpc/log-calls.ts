import { randomUUID } from "node:crypto";
import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import type { Logger } from "pino";
import { ErrorDetailSchema, ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import type { Caller } from "../model/caller.ts";
import { callerOf } from "./authorize.ts";
import { clientAddressOf } from "./client-address.ts";

const REQUEST_ID = /^[\w-]{1,64}$/;

/**
 * Creates the interceptor that writes one line for each call, when it has ended: which RPC, by
 * whom, how it ended, how long it took. It names fields one by one; nothing of a message or a
 * header gets into the log by itself.
 *
 * `x-request-id` is taken from the caller or made here, and answered.
 */
export function logCalls(log: Logger): Interceptor {
  return (next) => async (request) => {
    const { requestId, write } = beginCallLine(log, {
      method: request.method,
      requestId: request.header.get("x-request-id"),
      clientAddress: clientAddressOf(request.contextValues),
    });
    const end = (error: unknown): void => write(callerOf(request.contextValues), error);
    try {
      const response = await next(request);
      response.header.set("x-request-id", requestId);
      if (response.stream) return { ...response, message: withEnd(response.message, end) };
      end(undefined);
      return response;
    } catch (error) {
      end(error);
      throw error;
    }
  };
}

/** What the line of a call says from its beginning on. */
export interface BegunCall {
  readonly method: DescMethod;
  /** As the caller gave it. */
  readonly requestId: string | null;
  readonly clientAddress: string;
}

/** Begins the line of a call; `write` is for its end, with the error that ended it, if any. */
export function beginCallLine(log: Logger, { method, requestId: given, clientAddress }: BegunCall) {
  const beginMs = performance.now();
  const requestId = requestIdOf(given);
  return {
    requestId,
    write(caller: Caller, error: unknown): void {
      const { code, reason } = outcomeOf(error);
      log.info(
        {
          rpc: `${method.parent.typeName}/${method.name}`,
          requestId,
          code,
          reason,
          ms: Math.round((performance.now() - beginMs) * 10) / 10,
          clientIp: clientAddress,
          ...callerFields(caller),
        },
        "call",
      );
    },
  };
}

async function* withEnd<T>(
  messages: AsyncIterable<T>,
  end: (error: unknown) => void,
): AsyncIterable<T> {
  let failure: unknown;
  try {
    yield* messages;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    end(failure);
  }
}

function requestIdOf(given: string | null): string {
  return given !== null && REQUEST_ID.test(given) ? given : randomUUID();
}

function outcomeOf(error: unknown): { readonly code: string; readonly reason?: string } {
  if (error === undefined) return { code: "ok" };
  const { code, ...rest } = ConnectError.from(error);
  const detail = ConnectError.from(error).findDetails(ErrorDetailSchema)[0] ?? rest;
  const name = Code[code].replace(/(?<!^)[A-Z]/g, "_$&").toLowerCase();
  if (!("reason" in detail)) return { code: name };
  return { code: name, reason: reasonName(detail.reason) };
}

function reasonName(reason: unknown): string {
  const entry = Object.entries(ErrorReason).find(([, number]) => number === reason);
  return entry?.[0].toLowerCase() ?? "unknown";
}

function callerFields(caller: Caller): Readonly<Record<string, string>> {
  switch (caller.kind) {
    case "anonymous":
    case "operator":
      return { caller: caller.kind };
    case "site_key":
      return { caller: caller.kind, siteId: caller.siteId, keyId: caller.keyId };
    case "user":
      return { caller: caller.kind, siteId: caller.siteId, userId: caller.userId };
  }
}
