import type { JWK } from "jose";
import { Failure } from "../model/failure.ts";
import { parseId, type SiteId } from "../model/id.ts";
import { type Endpoint, type EndpointAnswer, refusal } from "./http-endpoints.ts";

/** What anybody may know of the Sites as issuers; each answers undefined where there is none. */
export interface WellKnown {
  /** Finds the public signing keys of a Site. */
  jwks(siteId: SiteId): Promise<{ readonly keys: readonly JWK[] } | undefined>;
  /** Finds what is true of a Site as an issuer. */
  issuer(siteId: SiteId): Promise<IssuerMetadata | undefined>;
}

/** The metadata of an issuer (RFC 8414 §2). It names no endpoint of OAuth: there is none. */
export interface IssuerMetadata {
  readonly issuer: string;
  readonly jwks_uri: string;
  readonly id_token_signing_alg_values_supported: readonly string[];
  readonly subject_types_supported: readonly string[];
  readonly claims_supported: readonly string[];
}

const ANY_ORIGIN = { "access-control-allow-origin": "*" };
const RETRY = { ...ANY_ORIGIN, "retry-after": "1" };

/** A key is published long before it signs, so a copy that is a minute old is good. */
const PUBLIC = { ...ANY_ORIGIN, "cache-control": "public, max-age=60" };

/** The resources below `/sites/{id}/.well-known/`, for any JWT library and, by CORS, any page. */
export function wellKnownEndpoints({ jwks, issuer }: WellKnown): Endpoint[] {
  return [
    siteEndpoint("jwks.json", "application/jwk-set+json", jwks),
    siteEndpoint("openid-configuration", "application/json", issuer),
  ];
}

function siteEndpoint(
  name: string,
  contentType: string,
  find: (siteId: SiteId) => Promise<object | undefined>,
): Endpoint {
  const headers = { ...PUBLIC, "content-type": contentType };
  return {
    path: `/sites/{id}/.well-known/${name}`,
    async answer({ params }): Promise<EndpointAnswer> {
      try {
        const body = await find(parseId<SiteId>(params.id ?? "", "id"));
        return body ? { status: 200, headers, body } : notFound();
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        if (error.reason === "unavailable") return refusal(503, "unavailable", RETRY);
        return notFound();
      }
    },
  };
}

function notFound(): EndpointAnswer {
  return refusal(404, "site_not_found", ANY_ORIGIN);
}
