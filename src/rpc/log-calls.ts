import type { DescMethod } from "@bufbuild/protobuf";
import { ConnectError, type Interceptor } from "@connectrpc/connect";
import type { Logger } from "pino";
import { ErrorDetailSchema, ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import type { Caller } from "../model/caller.ts";
import { isTracing, traceId } from "../model/tracing.ts";
import { callerOf } from "./authorize.ts";
import type { CallCounts, CallOutcome, MethodCalls } from "./call-counts.ts";
import { clientAddressOf } from "./client-address.ts";
import { codeName } from "./code-name.ts";
import { createJsonLines, type JsonLines } from "./json-lines.ts";
import { keepRequestId, keptRequestId, requestIdOf } from "./request-id.ts";

/** The lines of the log about calls. */
export interface CallLines {
  /** Begins the line of a call. */
  begin(call: BegunCall): CallLine;
}

/** The line of a call that is under way. */
export interface CallLine {
  /** Ends it, with the error that ended the call, if any. */
  write(caller: Caller, error: unknown): void;
}

/**
 * Creates the interceptor that writes one line for each call, when it has ended: which RPC, by
 * whom, how it ended, how long it took. It names fields one by one; nothing of a message or a
 * header gets into the log by itself.
 *
 * `x-request-id` is taken from the server, which answers it, or from the caller, or made here.
 */
export function logCalls(lines: CallLines): Interceptor {
  return (next) => async (request) => {
    const kept = keptRequestId(request.contextValues);
    const requestId = kept || requestIdOf(request.header.get("x-request-id"));
    keepRequestId(request.contextValues, requestId);
    const { write } = lines.begin({
      method: request.method,
      requestId,
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
  readonly requestId: string;
  readonly clientAddress: string;
}

/**
 * Creates the lines. Of calls of one RPC that a flood makes to be refused for load, one a second
 * has a line of its own; the others are told by their number, so that the flood costs no more by
 * being written down.
 */
export function createCallLines(log: Logger, counts: CallCounts): CallLines {
  const isCounted = createRefusalCounter(log);
  const lines = createJsonLines(log);
  return { begin: (call) => beginCallLine(lines, isCounted, counts.of(call.method), call) };
}

function beginCallLine(
  lines: JsonLines,
  isCounted: RefusalCounter,
  calls: MethodCalls,
  { requestId, clientAddress }: BegunCall,
): CallLine {
  const beginMs = performance.now();
  calls.begin();
  return {
    write(caller, error) {
      const outcome = outcomeOf(error);
      const exactMs = performance.now() - beginMs;
      calls.end(outcome, exactMs);
      if (error !== undefined && isCounted(calls.rpc, outcome)) return;
      if (!lines.isEnabled()) return;
      const ms = Math.round(exactMs * 10) / 10;
      // Names of RPCs, codes and ids need no escapes.
      lines.write(
        `"rpc":"${calls.rpc}","requestId":"${requestId}",${traceField()}` +
          `${outcomeFields(outcome)},"ms":${ms},` +
          `"clientIp":${JSON.stringify(clientAddress)},${callerFields(caller)}`,
        "call",
      );
    },
  };
}

const REFUSALS_FOR_LOAD = new Set(["overloaded", "rate_limited"]);
const REFUSALS_MS = 1_000;

/** Tells whether a call has been counted, and so needs no line of its own. */
type RefusalCounter = (rpc: string, outcome: CallOutcome) => boolean;

function createRefusalCounter(log: Logger): RefusalCounter {
  const counts = new Map<string, number>();
  return (rpc, { code, reason }) => {
    if (reason === undefined || !REFUSALS_FOR_LOAD.has(reason)) return false;
    const id = `${rpc} ${reason}`;
    const count = counts.get(id);
    counts.set(id, count === undefined ? 0 : count + 1);
    if (count !== undefined) return true;
    setTimeout(() => {
      const calls = counts.get(id) ?? 0;
      counts.delete(id);
      if (calls > 0) log.info({ rpc, code, reason, calls }, "more calls ended alike");
    }, REFUSALS_MS).unref();
    return false;
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

const REASON_NAMES = new Map<number, string>(
  Object.entries(ErrorReason).map(([name, number]) => [number, name.toLowerCase()]),
);

const OK: CallOutcome = { code: "ok" };

function outcomeOf(error: unknown): CallOutcome {
  if (error === undefined) return OK;
  const connectError = ConnectError.from(error);
  const detail = connectError.findDetails(ErrorDetailSchema)[0];
  const code = codeName(connectError.code);
  if (!detail) return { code };
  return { code, reason: REASON_NAMES.get(detail.reason) ?? "unknown" };
}

function traceField(): string {
  return isTracing ? `"traceId":"${traceId() ?? ""}",` : "";
}

function outcomeFields({ code, reason }: CallOutcome): string {
  return reason === undefined ? `"code":"${code}"` : `"code":"${code}","reason":"${reason}"`;
}

function callerFields(caller: Caller): string {
  switch (caller.kind) {
    case "anonymous":
      return '"caller":"anonymous"';
    case "operator":
      return `"caller":"operator"${caller.keyId ? `,"keyId":"${caller.keyId}"` : ""}`;
    case "site_key":
      return `"caller":"site_key","siteId":"${caller.siteId}","keyId":"${caller.keyId}"`;
    case "user":
      return `"caller":"user","siteId":"${caller.siteId}","userId":"${caller.userId}"`;
  }
}
