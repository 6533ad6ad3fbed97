import type { Endpoint } from "./http-endpoints.ts";
import type { Readiness } from "./readiness.ts";

const NOT_CACHED = { "cache-control": "no-store" };

/** Answers `/healthz`: 200 as long as the process can answer at all. */
export function livenessEndpoint(): Endpoint {
  const answer = { status: 200, headers: NOT_CACHED, body: { status: "alive" } };
  return { path: "/healthz", answer: () => answer };
}

/** Answers `/readyz`: 200, or 503 with what is still missing. */
export function readinessEndpoint(readiness: Pick<Readiness, "missing">): Endpoint {
  return {
    path: "/readyz",
    answer() {
      const missing = readiness.missing();
      const isReady = missing.length === 0;
      return {
        status: isReady ? 200 : 503,
        headers: NOT_CACHED,
        body: isReady ? { status: "ready" } : { status: "not_ready", missing },
      };
    },
  };
}
