import type { IncomingHttpHeaders } from "node:http";
import type { ProxiedRequest, RouteRequirements } from "../model/proxied-request.ts";
import type { AnswerProxy } from "../rpc/proxy-answer.ts";
import { parseRequirements } from "../rpc/route-requirements.ts";
import type { Endpoint, EndpointRequest } from "./http-endpoints.ts";

/** Queries whose meaning is remembered: a proxy has a few, and others are made up. */
const QUERIES_MAX = 1_000;

/**
 * Answers `/forward-auth`, where nginx, Caddy and Traefik ask whether a request may pass, and as
 * whom. The query says what the route asks; see `docs/guides/forward-auth.md`.
 */
export function forwardAuthEndpoint(answerProxy: AnswerProxy): Endpoint {
  const readRequirements = createRequirementsReader();
  return {
    path: "/forward-auth",
    isForProxies: true,
    async answer(request) {
      const requirements = () => readRequirements(request.url);
      const { status, headers, error } = await answerProxy(toProxied(request), requirements);
      return { status, headers, body: status === 200 ? "" : { error } };
    },
  };
}

/** Creates what reads the query of a URL, and none twice that it has read lately. */
function createRequirementsReader(): (url: string) => RouteRequirements {
  const read = new Map<string, RouteRequirements>();
  return (url) => {
    const begin = url.indexOf("?");
    const query = begin < 0 ? "" : url.slice(begin);
    const known = read.get(query);
    if (known) return known;
    const requirements = parseRequirements(new URLSearchParams(query));
    if (read.size >= QUERIES_MAX) read.clear();
    read.set(query, requirements);
    return requirements;
  };
}

/** Caddy and Traefik tell the original request by `x-forwarded-*`; nginx by what it is told to. */
function toProxied({ headers, rawHeaders }: EndpointRequest): ProxiedRequest {
  return {
    authorizations: valuesOf("authorization", rawHeaders),
    cookies: headers.cookie ?? "",
    method: textOf(headers, "x-forwarded-method") || "GET",
    accept: headers.accept ?? "",
    target: {
      scheme: textOf(headers, "x-forwarded-proto"),
      host: textOf(headers, "x-forwarded-host"),
      path: textOf(headers, "x-forwarded-uri"),
    },
  };
}

/** Node keeps the first of several alone. */
function valuesOf(name: string, rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, n) => n % 2 === 1 && rawHeaders[n - 1]?.toLowerCase() === name);
}

function textOf(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === "string" ? value : "";
}
