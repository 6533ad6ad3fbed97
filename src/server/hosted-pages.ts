import type { ConnectError } from "@connectrpc/connect";
import type { Failure } from "../model/failure.ts";
import { admitCall, clientLeft } from "./call-admission.ts";
import type { EdgeLimits } from "./edge-limits.ts";
import type { Exchange } from "./exchange.ts";
import { readForm } from "./form-body.ts";
import { type EndpointAnswer, mayHaveBody, refusal as refuse, send } from "./http-endpoints.ts";
import { discardBody, leaveUnread } from "./leave-unread.ts";
import type { Log } from "./log.ts";
import type { OpenCalls } from "./open-calls.ts";
import { toWebHeaders } from "./web-headers.ts";

/** A request for a page that people read, by links in mails. */
export interface PageRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  /** What was sent from the page; undefined: the page itself is wanted. */
  readonly form: URLSearchParams | undefined;
  readonly headers: Headers;
  readonly clientAddress: string;
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** What answers such requests. */
export interface Pages {
  /** Tells whether a path is that of a page. */
  has(path: string): boolean;
  answer(request: PageRequest): Promise<EndpointAnswer>;
}

/** The pages on their port. */
export interface HostedPages {
  has(path: string): boolean;
  /** Answers one request; never fails. */
  handle(exchange: Exchange): Promise<void>;
}

/** What {@link createHostedPages} needs. */
export interface HostedPagesOptions {
  readonly calls: OpenCalls;
  readonly refusal: (failure: Failure) => ConnectError;
  readonly limits: EdgeLimits;
  readonly log: Log;
}

const RETRY = { "retry-after": "1" };

/**
 * Serves pages and takes what is sent from them: forms, and nothing else, in bounded time and
 * size. Each request counts as a call under way, so that a drain waits for it.
 */
export function createHostedPages(pages: Pages, options: HostedPagesOptions): HostedPages {
  const { limits, log } = options;

  async function answer(exchange: Exchange, signal: AbortSignal): Promise<EndpointAnswer> {
    const { request, target, clientAddress } = exchange;
    const isPost = request.method === "POST";
    const form = isPost ? await readForm(request, limits) : undefined;
    if (form !== undefined && "status" in form) return form;
    return await pages.answer({
      path: target.path,
      query: new URL(target.url).searchParams,
      form,
      headers: toWebHeaders(request.headers),
      clientAddress,
      signal,
    });
  }

  /** Who is cut off while it still writes may not see the answer. */
  async function finish(exchange: Exchange, found: EndpointAnswer): Promise<void> {
    const { request } = exchange;
    if (mayHaveBody(request.headers)) await discardBody(request, limits.discardMsMax);
    send(exchange, found);
    leaveUnread(request, limits.lingerMsMax);
  }

  async function handle(exchange: Exchange): Promise<void> {
    const { request, response, clientAddress } = exchange;
    if (!["GET", "HEAD", "POST"].includes(request.method ?? "")) {
      const allow = { allow: "GET, HEAD, POST" };
      return await finish(exchange, refuse(405, "method_not_allowed", allow));
    }
    const call = admitCall(options, "unary", clientAddress);
    if (call.refused) return await finish(exchange, refuse(503, "overloaded", RETRY));
    response.once("close", () => call.controller.abort(clientLeft));
    try {
      await finish(exchange, await answer(exchange, call.controller.signal()));
    } catch (err) {
      log.error({ err }, "page failed");
      send(exchange, refuse(500, "internal"));
    } finally {
      call.release();
    }
  }

  return { has: pages.has, handle };
}
