import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, type ContextValues, createContextValues } from "@connectrpc/connect";
import type { CallRules, DirectCall } from "../rpc/call-rules.ts";
import { clientAddressKey } from "../rpc/client-address.ts";
import { requestIdOf } from "../rpc/request-id.ts";
import type { Admission } from "./call-admission.ts";
import type { CallController } from "./call-controller.ts";
import { boundTimeout } from "./call-deadline.ts";
import type { EdgeLimits } from "./edge-limits.ts";
import type { FastProtocol } from "./fast-protocol.ts";
import { createTimeouts } from "./timeouts.ts";

/** A call that is served without Connect's adapter. */
export interface FastCall {
  readonly method: DescMethod;
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly clientAddress: string;
  readonly admission: Admission;
}

/** What serving such a call needs. */
export interface FastCallOptions {
  readonly rules: Pick<CallRules, "run">;
  readonly limits: EdgeLimits;
}

/** Makes what the rules of all calls go by. */
export function directCall(
  { method, headers, clientAddress }: FastCall,
  requestId: string,
  message: object,
): DirectCall & { readonly values: ContextValues } {
  return {
    method,
    authorization: headers.authorization ?? null,
    requestId,
    headers,
    values: createContextValues().set(clientAddressKey, clientAddress),
    message,
  };
}

/** Names a call, also where it is refused before the rules of calls are asked. */
export function requestIdOfCall({ headers }: FastCall): string {
  return requestIdOf(textOf(headers["x-request-id"]) ?? null);
}

/** Reads how long a call may take; a malformed text is an error for the protocol to tell. */
export function timeoutOf(
  { headers, method }: FastCall,
  protocol: FastProtocol,
  bounds: EdgeLimits,
): ReturnType<FastProtocol["parseTimeout"]> {
  const asked = textOf(headers[protocol.timeoutHeader]) ?? null;
  if (asked === null && method.methodKind === "unary") {
    return { timeoutMs: bounds.callTimeoutMsDefault };
  }
  const isGrpc = protocol.name === "grpc";
  const text = boundTimeout(asked, { isGrpc, kind: method.methodKind, bounds });
  return protocol.parseTimeout(text, Number.MAX_SAFE_INTEGER);
}

/** Ends a call when its time is over; returns what stops that. */
export type StartDeadline = (ms: number | undefined, controller: CallController) => () => void;

/** Creates what watches deadlines; most clients name none, and so get the same. */
export function createDeadlines({ callTimeoutMsDefault }: EdgeLimits): StartDeadline {
  const common = createTimeouts(callTimeoutMsDefault);
  return (ms, controller) => {
    if (ms === undefined) return nothing;
    const expire = (): void => controller.abort(tooLate);
    if (ms === callTimeoutMsDefault) {
      const time = common.start(expire);
      return () => common.stop(time);
    }
    if (ms <= 0) {
      expire();
      return nothing;
    }
    const timer = setTimeout(expire, ms);
    return () => clearTimeout(timer);
  };
}

function nothing(): void {}

/** A header as one text, as the web's `Headers` would tell it. */
export function textOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.join(", ");
}

/** In the words of Connect's adapter. */
function tooLate(): ConnectError {
  return new ConnectError("the operation timed out", Code.DeadlineExceeded);
}
