import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { type TracedError, traced } from "../model/tracing.ts";
import { codeName } from "./code-name.ts";

/** What a trace has to know of a call. */
export interface TraceableCall {
  readonly method: DescMethod;
  /** They may say of which trace the call is a part, by W3C's `traceparent`. */
  readonly headers: Readonly<Record<string, unknown>>;
}

/** Creates the interceptor that shows calls in traces: the outermost, if there are any. */
export function traceCalls(): Interceptor {
  return (next) => async (request) => {
    const headers = Object.fromEntries(request.header);
    return await tracedCall({ method: request.method, headers }, () => next(request));
  };
}

/** Makes a call a span, as OpenTelemetry's conventions for RPCs have it. */
export function tracedCall<T>({ method, headers }: TraceableCall, run: () => Promise<T>) {
  const name = `${method.parent.typeName}/${method.name}`;
  const attributes = { "rpc.system.name": systemOf(headers), "rpc.method": name };
  return traced({ name, kind: "server", attributes, from: headers }, run, toTracedError);
}

function systemOf(headers: TraceableCall["headers"]): string {
  return String(headers["content-type"]).startsWith("application/grpc") ? "grpc" : "connectrpc";
}

/** Others are the caller's doing. */
const FAULTS: readonly Code[] = [
  Code.Unknown,
  Code.DeadlineExceeded,
  Code.Unimplemented,
  Code.Internal,
  Code.Unavailable,
  Code.DataLoss,
];

function toTracedError(error: unknown): TracedError {
  const { code } = ConnectError.from(error);
  return { type: codeName(code), isFault: FAULTS.includes(code) };
}
