import type { DescMethod } from "@bufbuild/protobuf";
import type { ContextValues, Interceptor } from "@connectrpc/connect";
import type { Logger } from "pino";
import { Failure } from "../model/failure.ts";
import { authorize, callerOf, createAuthorization, type Gate } from "./authorize.ts";
import { clientAddressOf } from "./client-address.ts";
import { toConnectError, translateErrors } from "./errors.ts";
import { createCallLines, logCalls } from "./log-calls.ts";

/** A call that does not come through Connect's adapter. */
export interface DirectCall {
  readonly method: DescMethod;
  readonly authorization: string | null;
  readonly requestId: string | null;
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
  run<T>(call: DirectCall, work: (requestId: string) => Promise<T>): Promise<T>;
}

/** What {@link createCallRules} needs. */
export interface CallRulesOptions {
  readonly log: Logger;
  readonly gate: Gate;
  /** Until the database has been prepared once, its tables may not even exist. */
  readonly isStarted: () => boolean;
}

/** Creates the rules: one line of log for each call, known errors only, and access. */
export function createCallRules({ log, gate, isStarted }: CallRulesOptions): CallRules {
  const requireStarted = (method: DescMethod): void => {
    const ofSignet = method.parent.typeName.startsWith("signet.");
    if (ofSignet && !isStarted()) throw new Failure("unavailable", {}, { retryDelayMs: 1_000 });
  };
  const waitForStart: Interceptor = (next) => async (request) => {
    requireStarted(request.method);
    return await next(request);
  };

  const admit = createAuthorization(gate);
  const lines = createCallLines(log);

  return {
    interceptors: [logCalls(lines), translateErrors(log), waitForStart, authorize(gate)],

    async run(call, work) {
      const { method, values, requestId: given } = call;
      const clientAddress = clientAddressOf(values);
      const { requestId, write } = lines.begin({ method, requestId: given, clientAddress });
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
        const translated = toConnectError(error, log);
        write(callerOf(values), translated);
        throw translated;
      }
    },
  };
}
