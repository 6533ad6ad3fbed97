import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Exchange } from "./exchange.ts";
import type { Log } from "./log.ts";
import { NO_SNIFFING } from "./no-sniffing.ts";
import { NOTHING_STRICT } from "./strict-transport.ts";

/** What an endpoint sees of a request; endpoints take no body. */
export interface EndpointRequest {
  /** The values of the `{name}` segments of the endpoint's path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** Whole, with the query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly clientAddress: string;
}

/** What an endpoint answers. */
export interface EndpointAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text and bytes are sent as they are, anything else as JSON. */
  readonly body: unknown;
}

/**
 * A resource that is no RPC, answered for GET and HEAD. To add one, write a factory that returns
 * it and name it in `server.ts`.
 */
export interface Endpoint {
  /** Such as `/sites/{id}/keys`: `{name}` stands for one whole segment, `{name*}` for the rest. */
  readonly path: string;
  /** Whether proxies pass its answers on to visitors of their own hosts; by default not. */
  readonly isForProxies?: boolean;
  readonly answer: (request: EndpointRequest) => EndpointAnswer | Promise<EndpointAnswer>;
}

/** Returns what answers every request that is not an RPC; it never fails. */
export function createEndpointHandler(
  endpoints: readonly Endpoint[],
  log: Log,
): (exchange: Exchange) => Promise<void> {
  const routes = endpoints.map((endpoint) => ({ endpoint, segments: endpoint.path.split("/") }));

  function find(path: string) {
    const parts = path.split("/");
    for (const { endpoint, segments } of routes) {
      const params = matchSegments(segments, parts);
      if (params !== undefined) return { endpoint, params };
    }
    return undefined;
  }

  return async (asked) => {
    const { request, target, clientAddress } = asked;
    const found = find(target.path);
    if (found === undefined) return send(asked, unknownPath(request.headers));
    // What holds for Signet's own host need not hold for those behind a proxy.
    const strictTransport = found.endpoint.isForProxies ? NOTHING_STRICT : asked.strictTransport;
    const exchange = { ...asked, strictTransport };
    if (request.method !== "GET" && request.method !== "HEAD") {
      return send(exchange, refusal(405, "method_not_allowed", { allow: "GET, HEAD" }));
    }
    try {
      const { headers, rawHeaders } = request;
      const { endpoint, params } = found;
      const { url } = target;
      send(exchange, await endpoint.answer({ params, url, headers, rawHeaders, clientAddress }));
    } catch (err) {
      log.error({ err, endpoint: found.endpoint.path }, "endpoint failed");
      send(exchange, refusal(500, "internal"));
    }
  };
}

/** Builds the JSON answer to a request that is refused. */
export function refusal(
  status: number,
  error: string,
  headers: Readonly<Record<string, string>> = {},
): EndpointAnswer {
  return { status, headers: { "cache-control": "no-store", ...headers }, body: { error } };
}

/** Sends an answer with an entity tag, or 304 to a client that has the same already. */
export function send(exchange: Exchange, answer: EndpointAnswer): void {
  const { request, response, strictTransport } = exchange;
  if (response.headersSent || response.destroyed) return;
  const isText = typeof answer.body === "string";
  const body = bytesOf(answer.body);
  const contentType = isText ? "text/plain; charset=utf-8" : "application/json";
  const ofBody = { "content-type": contentType, ...NO_SNIFFING };
  const headers: Record<string, string> = {
    ...(body.length > 0 && ofBody),
    ...strictTransport,
    ...answer.headers,
  };
  // A body that nobody reads would be taken for the next request on this socket.
  if (!("stream" in request) && mayHaveBody(request.headers)) headers.connection = "close";
  if (answer.status === 200 && headers["cache-control"] !== "no-store") {
    const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
    headers.etag = etag;
    if (matchesTag(request.headers["if-none-match"], etag)) {
      response.writeHead(304, headers);
      response.end();
      return;
    }
  }
  if (answer.status !== 204) headers["content-length"] = String(body.length); // RFC 9110 §8.6.
  response.writeHead(answer.status, headers);
  // Without a body, headers go out in one piece.
  if (request.method === "HEAD" || body.length === 0) response.end();
  else response.end(body);
}

/** Tells whether a request may bring a body, by what its headers say. */
export function mayHaveBody(headers: IncomingHttpHeaders): boolean {
  const length = headers["content-length"] ?? "0";
  return length !== "0" || headers["transfer-encoding"] !== undefined;
}

function bytesOf(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
}

/** RFC 9110 §13.1.2: a list of tags, compared weakly, or any. */
function matchesTag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(",").some((tag) => ["*", etag].includes(tag.trim().replace(/^W\//, "")));
}

/** A gRPC client wants to hear UNIMPLEMENTED in its own words. */
function unknownPath(headers: IncomingHttpHeaders): EndpointAnswer {
  const type = headers["content-type"] ?? "";
  if (!type.startsWith("application/grpc")) return refusal(404, "not_found");
  const grpcHeaders = {
    "content-type": type,
    "grpc-status": "12",
    "grpc-message": "unknown method",
  };
  return { status: 200, headers: { "cache-control": "no-store", ...grpcHeaders }, body: "" };
}

function matchSegments(
  segments: readonly string[],
  parts: readonly string[],
): Record<string, string> | undefined {
  const rest = /^\{(\w+)\*\}$/.exec(segments.at(-1) ?? "")?.[1];
  if (rest !== undefined) return matchRest(segments.slice(0, -1), parts, rest);
  if (segments.length !== parts.length) return undefined;
  const params: Record<string, string> = {};
  for (const [n, segment] of segments.entries()) {
    const part = parts[n] ?? "";
    const name = /^\{(\w+)\}$/.exec(segment)?.[1];
    if (name === undefined && segment !== part) return undefined;
    if (name === undefined) continue;
    const value = decode(part);
    if (value === undefined || value === "") return undefined;
    params[name] = value;
  }
  return params;
}

/** The rest is given as it stands in the path; it has at least one segment, which may be empty. */
function matchRest(
  before: readonly string[],
  parts: readonly string[],
  name: string,
): Record<string, string> | undefined {
  if (parts.length <= before.length) return undefined;
  const params = matchSegments(before, parts.slice(0, before.length));
  return params && { ...params, [name]: parts.slice(before.length).join("/") };
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
