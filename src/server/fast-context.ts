import type { ContextValues, HandlerContext } from "@connectrpc/connect";
import type { FastCall } from "./fast-call.ts";
import { toWebHeaders } from "./web-headers.ts";

/** What a handler sets of its answer; absent: it has touched none. */
export interface HandlerFields {
  header?: Headers;
  trailer?: Headers;
}

/** What the context of a call is made from. */
interface Parts {
  readonly call: FastCall;
  readonly set: HandlerFields;
  readonly endMs: number | undefined;
  sent?: Headers;
}

/** Where a context keeps its parts. */
const parts = Symbol("parts");

type FastContext = HandlerContext & { readonly [parts]: Parts };

/** What few handlers ask for; of one object for all calls, as accessors are slow to make. */
const ON_DEMAND = {
  timeoutMs() {
    const { endMs } = this[parts];
    return endMs && endMs - Date.now();
  },
  get url() {
    const { headers } = this[parts].call;
    return `${headers[":scheme"]}://${headers[":authority"]}${headers[":path"]}`;
  },
  get signal() {
    return this[parts].call.admission.controller.signal();
  },
  get requestHeader() {
    const own = this[parts];
    own.sent ??= toWebHeaders(own.call.headers);
    return own.sent;
  },
  get responseHeader() {
    const { set } = this[parts];
    set.header ??= new Headers();
    return set.header;
  },
  get responseTrailer() {
    const { set } = this[parts];
    set.trailer ??= new Headers();
    return set.trailer;
  },
} as const satisfies Partial<HandlerContext> & ThisType<FastContext>;

/**
 * Makes the context of a call. What few handlers ask for, such as headers, is made when they do.
 *
 * Unlike Connect's, its signal is not aborted when the call has ended well: an abort costs more
 * than the rest of a call, and whatever a handler begins has ended by then.
 */
export function createFastContext(
  call: FastCall,
  protocolName: string,
  values: ContextValues,
  { timeoutMs, set }: { readonly timeoutMs: number | undefined; readonly set: HandlerFields },
): HandlerContext {
  const { method } = call;
  const endMs = timeoutMs === undefined ? undefined : Date.now() + timeoutMs;
  const context = {
    __proto__: ON_DEMAND,
    [parts]: { call, set, endMs },
    method,
    service: method.parent,
    requestMethod: "POST",
    protocolName,
    values,
  };
  return context as unknown as HandlerContext;
}
