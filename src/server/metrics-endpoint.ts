import { createHash, timingSafeEqual } from "node:crypto";
import type { Secret } from "../model/secret.ts";
import { type Endpoint, refusal } from "./http-endpoints.ts";
import type { Metrics } from "./metrics.ts";
import { METRICS_CONTENT_TYPE } from "./metrics-text.ts";

/** Answers `/metrics`, to whoever has the key; without one, to all who get here. */
export function metricsEndpoint(metrics: Pick<Metrics, "text">, key: Secret | undefined): Endpoint {
  const isAdmitted = createKeyCheck(key);
  return {
    path: "/metrics",
    async answer({ headers }) {
      if (!isAdmitted(headers.authorization)) {
        return refusal(401, "credential_invalid", { "www-authenticate": "Bearer" });
      }
      return {
        status: 200,
        headers: { "content-type": METRICS_CONTENT_TYPE, "cache-control": "no-store" },
        body: await metrics.text(),
      };
    },
  };
}

/** Digests are compared, so that neither length nor content of the key shows in the time. */
function createKeyCheck(key: Secret | undefined): (authorization: string | undefined) => boolean {
  if (!key) return () => true;
  const wanted = digest(`Bearer ${key.reveal()}`);
  return (authorization = "") => {
    const given = authorization.replace(/^bearer +/i, "Bearer ");
    return timingSafeEqual(wanted, digest(given));
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
