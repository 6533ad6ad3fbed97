import type { DescMethod } from "@bufbuild/protobuf";
import type { ContextValues, Interceptor } from "@connectrpc/connect";
import type { Logger } from "pino";
import { Failure } from "../model/failure.ts";
import { isTracing } from "../model/tracing.ts";
import { authorize, callerOf, createAuthorization, type Gate } from "./authorize.ts";
import { type CallCounts, createCallCounts } from "./call-counts.ts";
import { clientAddressOf } from "./client-address.ts";
import { toConnectError, translateErrors } from "./errors.ts";
import { createCallLines, logCalls } from "./log-calls.ts";
import { requestIdOf } from "./request-id.ts";
import { traceCalls, tracedCall } from "./traced-call.ts";

/** A call that does not come through Connect's adapter. */
export interface DirectCall {
  readonly method: DescMethod;
  readonly authorization: string | null;
  /** As its caller has given it. */
  readonly requestId: string | null;
  /** All that came, where anything of it is of use for traces. */
  readonly headers?: Readonly<Record<string, unknown>>;
  /** Hold the address of the client, and hold the caller once that is known. */
  readonly values: ContextValues;
  /** The request; of a stream, whose rules do not depend on it, an empty object. */
  readonly message: object;
}

/** What holds for every call, whichever way it comes in. */
export interface CallRules {
  /** The rules for calls through Connect's adapter; the outermost comes first. */
  readonly interceptors: readonly Interceptor[];
  /**
   * Runs another call by the same rules, in the same order. `requestId` is to be answered as
   * `x-request-id`.
   *
   * @throws {ConnectError} and nothing else.
   */
  run<T>(call: DirectCall, work: Work<T>): Promise<T>;
}

type Work<T> = (requestId: string) => Promise<T>;

/** What {@link createCallRules} needs. */
export interface CallRulesOptions {
  readonly log: Logger;
  readonly gate: Gate;
  /** By default nobody reads them. */
  readonly counts?: CallCounts;
  /** Until the database has been prepared once, its tables may not even exist. */
  readonly isStarted: () => boolean;
}

/** Creates the rules: one line of log for each call, known errors only, and access. */
export function createCallRules(options: CallRulesOptions): CallRules {
  const { log, gate, isStarted, counts = createCallCounts() } = options;
  const requireStarted = (method: DescMethod): void => {
    const ofSignet = method.parent.typeName.startsWith("signet.");
    if (ofSignet && !isStarted()) throw new Failure("unavailable", {}, { retryDelayMs: 1_000 });
  };
  const waitForStart: Interceptor = (next) => async (request) => {
    requireStarted(request.method);
    return await next(request);
  };

  const admit = createAuthorization(gate);
  const lines = createCallLines(log, counts);

  async function run<T>(call: DirectCall, work: Work<T>): Promise<T> {
    const { method, values } = call;
    const requestId = requestIdOf(call.requestId);
    const { write } = lines.begin({ method, requestId, clientAddress: clientAddressOf(values) });
    try {
      requireStarted(method);
      const rule = gate.rules.get(method);
      // Only methods that declare who may call are served this way.
      if (!rule) throw new Error(`no access rule: ${method.name}`);
      await admit(rule, call);
      const result = await work(requestId);
      write(callerOf(values), undefined);
      return result;
    } catch (error) {
      const translated = toConnectError(error, log, requestId);
      write(callerOf(values), translated);
      throw translated;
    }
  }

  const rules = [logCalls(lines), translateErrors(log), waitForStart, authorize(gate)];
  if (!isTracing) return { interceptors: rules, run };
  return {
    interceptors: [traceCalls(), ...rules],
    run: (call, work) =>
      tracedCall({ method: call.method, headers: call.headers ?? {} }, () => run(call, work)),
  };
}
