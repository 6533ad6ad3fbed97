import type { AddressResolver } from "./address.ts";
import type { NodeResponse } from "./answer-writer.ts";
import type { EdgeLimits } from "./edge-limits.ts";
import type { Exchange } from "./exchange.ts";
import type { HostedPages } from "./hosted-pages.ts";
import { mayHaveBody, refusal, send } from "./http-endpoints.ts";
import { discardBody } from "./leave-unread.ts";
import type { Log } from "./log.ts";
import { headerBytes, type NodeRequest, parseTarget } from "./request-target.ts";
import type { RpcHandler } from "./rpc-handler.ts";
import { NOTHING_STRICT, type StrictTransport } from "./strict-transport.ts";

/** What {@link createRequestHandler} needs. */
export interface RequestHandlerOptions {
  readonly limits: Pick<EdgeLimits, "headerBytesMax" | "discardMsMax">;
  readonly rpc: RpcHandler;
  readonly pages: HostedPages | undefined;
  readonly endpoints: (exchange: Exchange) => Promise<void>;
  readonly addresses: AddressResolver;
  /** What browsers are told that come to Signet's own host. */
  readonly strictTransport: StrictTransport;
  readonly log: Log;
}

/** Returns what answers every request of either protocol; nothing a client sends makes it throw. */
export function createRequestHandler(
  options: RequestHandlerOptions,
): (request: NodeRequest, response: NodeResponse) => void {
  const { rpc, pages, endpoints, addresses, strictTransport, limits, log } = options;

  async function answer(request: NodeRequest, response: NodeResponse): Promise<void> {
    const clientAddress = addresses.clientAddress(request.socket.remoteAddress, request.headers);
    const target = parseTarget(request);
    const common = { request, response, clientAddress, strictTransport: NOTHING_STRICT };
    const refused = { ...common, target: { url: "", path: "" } };
    if (target === undefined) return send(refused, refusal(400, "malformed_request_target"));
    if (hasLargeHeaders(request)) return send(refused, refusal(431, "headers_too_large"));
    const exchange = { ...common, target, strictTransport };
    if (rpc.has(target.path)) return await rpc.handle(exchange);
    if (pages?.has(target.path)) return await pages.handle(exchange);
    if (mayHaveBody(request.headers)) await discardBody(request, limits.discardMsMax);
    await endpoints(exchange);
  }

  /** HTTP/1.1 is held to the limit by Node's parser. */
  function hasLargeHeaders(request: NodeRequest): boolean {
    return "stream" in request && headerBytes(request.rawHeaders) > limits.headerBytesMax;
  }

  return (request, response) => {
    // Without a listener, an error of a client that left would end the process.
    request.on("error", () => undefined);
    response.on("error", () => undefined);
    answer(request, response).catch((err: unknown) => {
      log.error({ err }, "request failed");
      response.destroy();
    });
  };
}
