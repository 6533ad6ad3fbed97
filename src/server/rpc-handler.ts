import {
  type ConnectError,
  type ConnectRouter,
  type ContextValues,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type Interceptor,
} from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import type { Failure } from "../model/failure.ts";
import { type BrowserPage, browserPageKey } from "../rpc/browser-page.ts";
import { clientAddressKey } from "../rpc/client-address.ts";
import { keepRequestId, requestIdOf } from "../rpc/request-id.ts";
import { isGone, type NodeResponse, writeAnswer } from "./answer-writer.ts";
import { type Admission, admitCall, clientLeft } from "./call-admission.ts";
import { boundDeadline } from "./call-deadline.ts";
import { answerPreflight, type BrowserRules, isPreflight, openToPage } from "./cors.ts";
import type { EdgeLimits } from "./edge-limits.ts";
import { endWithSignal } from "./end-with-signal.ts";
import type { Exchange } from "./exchange.ts";
import { textOf } from "./fast-call.ts";
import { send } from "./http-endpoints.ts";
import { leaveUnread } from "./leave-unread.ts";
import type { Log } from "./log.ts";
import { MESSAGE_COMPRESSIONS } from "./message-compression.ts";
import { NO_SNIFFING } from "./no-sniffing.ts";
import type { OpenCalls } from "./open-calls.ts";
import { awaitRequest } from "./request-arrival.ts";
import { readBody } from "./request-body.ts";
import type { NodeRequest } from "./request-target.ts";
import type { StrictTransport } from "./strict-transport.ts";
import { blameSenderIn } from "./unreadable-message.ts";
import { toWebHeaders } from "./web-headers.ts";

/** What {@link createRpcHandler} needs. */
export interface RpcHandlerOptions {
  readonly routes: (router: ConnectRouter) => void;
  readonly interceptors: readonly Interceptor[];
  readonly calls: OpenCalls;
  readonly browsers: BrowserRules;
  readonly limits: EdgeLimits;
  readonly refusal: (failure: Failure) => ConnectError;
  readonly log: Log;
}

/** Answers the RPCs of all services over Connect, gRPC and gRPC-Web. */
export interface RpcHandler {
  /** Tells whether a path is that of an RPC. */
  has(path: string): boolean;
  /** Answers one call; never fails. */
  handle(exchange: Exchange): Promise<void>;
}

/** Why a call is refused before its body is read; the gate throws it in the call's protocol. */
const refusalKey = createContextKey<ConnectError | undefined>(undefined);

/**
 * Makes the handler.
 *
 * It stands in for Connect's own Node adapter, which dies of a malformed authority, waits for ever
 * for a body and for a reader, destroys a request whose answer is still to be written, and
 * takes half a message for a whole one.
 */
export function createRpcHandler(options: RpcHandlerOptions): RpcHandler {
  const { browsers, limits, log } = options;
  const router = createConnectRouter({
    interceptors: [...options.interceptors, endWithSignal],
    acceptCompression: MESSAGE_COMPRESSIONS,
    // A misspelt `expireTime` would make a key that never ends, a misspelt kind a webhook for all.
    jsonOptions: { ignoreUnknownFields: false },
    readMaxBytes: limits.messageBytesMax,
    writeMaxBytes: limits.answerBytesMax,
    requestGate: (context) => {
      const refused = context.values.get(refusalKey);
      if (refused !== undefined) throw refused;
      blameSenderIn(context);
    },
  });
  options.routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  async function handle(exchange: Exchange): Promise<void> {
    const handler = handlers.get(exchange.target.path);
    if (handler === undefined) return;
    const { request, response, clientAddress } = exchange;
    const { method } = handler;
    if (isPreflight(request)) {
      return send(exchange, await answerPreflight(browsers, method, request, clientAddress));
    }
    const page = pageOf(request);
    const requestId = requestIdOf(textOf(request.headers["x-request-id"]) ?? null);
    const call = admitCall(options, method.methodKind, clientAddress);
    const leave = (): void => call.controller.abort(clientLeft);
    response.once("close", leave);
    if (isGone(response)) leave();
    try {
      const incoming = await universalRequest(limits, handler, exchange, call, page);
      keepRequestId(incoming.contextValues, requestId);
      if (isGone(response)) return;
      const answer = await handler(incoming);
      const opened = await openToPage(browsers, method, page, clientAddress, answer);
      const header = forBrowsers(new Headers(opened.header), exchange.strictTransport);
      header.set("x-request-id", requestId); // Also where it was refused before any rule.
      await writeAnswer({ ...opened, header }, response, limits.answerStallMsMax);
      leaveUnread(request, limits.lingerMsMax);
    } catch (error) {
      call.controller.abort(clientLeft);
      log.debug({ method: handler.requestPath, err: error }, "call was not answered");
      destroy(response);
    } finally {
      call.release();
    }
  }

  return { has: (path) => handlers.has(path), handle };
}

/** Waits for the request and presents it as Connect wants it. */
async function universalRequest(
  limits: EdgeLimits,
  handler: UniversalHandler,
  { request, target, clientAddress }: Exchange,
  call: Admission,
  page: BrowserPage | undefined,
): Promise<UniversalServerRequest & { readonly contextValues: ContextValues }> {
  const kind = handler.method.methodKind;
  const { messageBytesMax } = limits;
  const contentType = request.headers["content-type"] ?? "";
  const body = readBody(request, kind, limits);
  const arrived =
    call.refused === undefined
      ? await awaitRequest(body, { kind, contentType, messageBytesMax })
      : body;
  const header = toWebHeaders(request.headers);
  boundDeadline(header, kind, limits);
  return {
    httpVersion: request.httpVersion,
    method: request.method ?? "",
    url: target.url,
    header,
    body: arrived,
    signal: call.controller.signal(),
    contextValues: createContextValues()
      .set(clientAddressKey, clientAddress)
      .set(browserPageKey, page)
      .set(refusalKey, call.refused),
  };
}

const GRPC = /^application\/grpc(?![^+;])/;

/** Also where a call is refused without a body, and so without a type. */
function forBrowsers(header: Headers, strictTransport: StrictTransport): Headers {
  if (GRPC.test(header.get("content-type") ?? "")) return header;
  for (const [name, value] of Object.entries(NO_SNIFFING)) header.set(name, value);
  for (const [name, value] of Object.entries(strictTransport)) header.set(name, value);
  return header;
}

function pageOf({ headers: { origin } }: NodeRequest): BrowserPage | undefined {
  return origin === undefined ? undefined : { origin, mayRead: undefined };
}

function destroy(response: NodeResponse): void {
  (response.stream ?? response).destroy();
}
