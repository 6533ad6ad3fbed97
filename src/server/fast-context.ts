import type { ContextValues, HandlerContext } from "@connectrpc/connect";
import type { FastCall } from "./fast-call.ts";
import { toWebHeaders } from "./web-headers.ts";

/** What a handler sets of its answer; absent: it has touched none. */
export interface HandlerFields {
  header?: Headers;
  trailer?: Headers;
}

/**
 * Makes the context of a call. What few handlers ask for, such as headers, is made when they do.
 *
 * Unlike Connect's, its signal is not aborted when the call has ended well: an abort costs more
 * than the rest of a call, and whatever a handler begins has ended by then.
 */
export function createFastContext(
  { method, headers, admission }: FastCall,
  protocolName: string,
  values: ContextValues,
  { timeoutMs, set }: { readonly timeoutMs?: number; readonly set: HandlerFields },
): HandlerContext {
  const endMs = timeoutMs === undefined ? undefined : Date.now() + timeoutMs;
  let requestHeader: Headers | undefined;
  return {
    method,
    service: method.parent,
    requestMethod: "POST",
    protocolName,
    values,
    timeoutMs: () => endMs && endMs - Date.now(),
    get url() {
      return `${headers[":scheme"]}://${headers[":authority"]}${headers[":path"]}`;
    },
    get signal() {
      return admission.controller.signal;
    },
    get requestHeader() {
      requestHeader ??= toWebHeaders(headers);
      return requestHeader;
    },
    get responseHeader() {
      set.header ??= new Headers();
      return set.header;
    },
    get responseTrailer() {
      set.trailer ??= new Headers();
      return set.trailer;
    },
  };
}
