import type { DescMethod } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import type { Logger } from "pino";
import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import { authorize, type Gate, requireAdmission } from "./authorize.ts";
import { toConnectError, translateErrors } from "./errors.ts";
import { beginCallLine, logCalls } from "./log-calls.ts";

/** A call that does not come through Connect's adapter. */
export interface DirectCall {
  readonly method: DescMethod;
  readonly authorization: string | null;
  readonly requestId: string | null;
  readonly clientAddress: string;
}

/** What {@link CallRules.run} found out about a call. */
export interface AdmittedCall {
  readonly caller: Caller;
  /** To be answered as `x-request-id`. */
  readonly requestId: string;
}

/** What holds for every call, whichever way it comes in. */
export interface CallRules {
  /** The rules for calls through Connect's adapter; the outermost comes first. */
  readonly interceptors: readonly Interceptor[];
  /**
   * Runs another call by the same rules, in the same order.
   *
   * @throws {ConnectError} and nothing else.
   */
  run(call: DirectCall, work: (admitted: AdmittedCall) => Promise<void>): Promise<void>;
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

  return {
    interceptors: [logCalls(log), translateErrors(log), waitForStart, authorize(gate)],

    async run(call, work) {
      const { requestId, write } = beginCallLine(log, call);
      let caller: Caller = { kind: "anonymous" };
      try {
        requireStarted(call.method);
        const rule = gate.rules.get(call.method);
        // Only methods that declare who may call are served this way.
        if (!rule) throw new Error(`no access rule: ${call.method.name}`);
        caller = await gate.authentication.authenticate(call.authorization);
        await requireAdmission(gate, rule, caller, {});
        await work({ caller, requestId });
        write(caller, undefined);
      } catch (error) {
        const translated = toConnectError(error, log);
        write(caller, translated);
        throw translated;
      }
    },
  };
}
