import { traced } from "../model/tracing.ts";

/** Makes an outward call a span. Its path is left out: it can tell whom the call is about. */
export function tracedRequest<T>(
  method: "GET" | "POST",
  { hostname }: URL,
  run: () => Promise<T>,
): Promise<T> {
  const attributes = { "http.request.method": method, "server.address": hostname };
  return traced({ name: method, kind: "client", attributes }, run);
}
