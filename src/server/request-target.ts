import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";

/** A request of either protocol. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;

/** Where a request is addressed to. */
export interface RequestTarget {
  /** Scheme, authority, path and query; always a valid URL. */
  readonly url: string;
  /** The path as the client wrote it, without the query. */
  readonly path: string;
}

/** RFC 3986 §3.2.2 and §3.2.3, without user information: a name, IPv4 or [IPv6], and a port. */
const AUTHORITY = /^(?:[A-Za-z0-9._~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/;

/** RFC 9112 §3.2.2: a server must accept a request line that holds a whole URL. */
const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)/i;

/** Reads the target of a request; undefined if it is malformed, which deserves a 400. */
export function parseTarget(request: NodeRequest): RequestTarget | undefined {
  const target = request.url ?? "";
  const absolute = ABSOLUTE_FORM.exec(target);
  const authority = absolute?.[1] ?? authorityOf(request);
  if (authority === undefined || !AUTHORITY.test(authority)) return undefined;

  const rest = absolute === null ? target : target.slice(absolute[0].length) || "/";
  // `*` is the target of `OPTIONS *`; it names no resource of ours.
  if (!rest.startsWith("/") && rest !== "*") return undefined;
  const url = URL.parse(`${schemeOf(request)}://${authority}${rest === "*" ? "/*" : rest}`);
  if (url === null) return undefined;
  return { url: url.href, path: rest.split(/[?#]/, 1)[0] ?? rest };
}

/** Tells whether an authority can be that of a URL. */
export function isAuthority(text: string): boolean {
  return AUTHORITY.test(text) && URL.canParse(`http://${text}/`);
}

/**
 * Adds up names and values. An HTTP/2 client is held to a limit on them only once it has
 * acknowledged our settings, which a hostile one never does.
 */
export function headerBytes(rawHeaders: readonly string[]): number {
  let bytes = 0;
  for (const text of rawHeaders) bytes += text.length;
  return bytes;
}

function authorityOf(request: NodeRequest): string | undefined {
  if ("stream" in request) return request.authority;
  let hosts = 0;
  for (let n = 0; n < request.rawHeaders.length; n += 2) {
    if (request.rawHeaders[n]?.toLowerCase() === "host") hosts += 1;
  }
  if (hosts > 1) return undefined;
  // Node lets only HTTP/1.0 through without a host, where it is optional.
  return request.headers.host ?? "localhost";
}

function schemeOf(request: NodeRequest): "http" | "https" {
  return "encrypted" in request.socket && request.socket.encrypted === true ? "https" : "http";
}
