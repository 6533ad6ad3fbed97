import type { JWK } from "jose";
import { Failure } from "../model/failure.ts";
import { parseId, type SiteId } from "../model/id.ts";
import { type Endpoint, type EndpointAnswer, refusal } from "./http-endpoints.ts";

/** Finds the public signing keys of a Site; undefined if there is no such Site. */
export type FindJwks = (siteId: SiteId) => Promise<{ readonly keys: readonly JWK[] } | undefined>;

/** Answers `/sites/{id}/.well-known/jwks.json`, for any JWT library and, by CORS, any page. */
export function jwksEndpoint(findJwks: FindJwks): Endpoint {
  return {
    path: "/sites/{id}/.well-known/jwks.json",
    async answer({ params }): Promise<EndpointAnswer> {
      try {
        const jwks = await findJwks(parseId<SiteId>(params.id ?? "", "id"));
        if (jwks === undefined) return notFound();
        return { status: 200, headers: PUBLIC, body: { keys: jwks.keys } };
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        if (error.reason === "unavailable") return refusal(503, "unavailable", RETRY);
        return notFound();
      }
    },
  };
}

const ANY_ORIGIN = { "access-control-allow-origin": "*" };

/** A key is published long before it signs, so a copy that is a minute old is good. */
const PUBLIC = {
  ...ANY_ORIGIN,
  "cache-control": "public, max-age=60",
  "content-type": "application/jwk-set+json",
};

const RETRY = { ...ANY_ORIGIN, "retry-after": "1" };

function notFound(): EndpointAnswer {
  return refusal(404, "site_not_found", ANY_ORIGIN);
}
