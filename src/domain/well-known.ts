import type { PublicJwk } from "../crypto/signing-key.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import { issuerOf } from "../model/site.ts";
import type { Deps } from "./deps.ts";
import type { KnownSite } from "./known-sites.ts";

/** Every access token has these claims. */
const CLAIMS = [
  "iss",
  "sub",
  "aud",
  "exp",
  "iat",
  "jti",
  "sid",
  "gen",
  "roles",
  "auth_time",
  "amr",
];

/** Answers what anybody may know of the Sites as issuers; undefined where there is none. */
export function wellKnownOf(deps: Deps) {
  return {
    async jwks(siteId: SiteId): Promise<{ readonly keys: readonly PublicJwk[] } | undefined> {
      const known = await find(deps, siteId);
      return known && { keys: known.publicJwks };
    },

    async issuer(siteId: SiteId) {
      const known = await find(deps, siteId);
      const issuer = issuerOf(deps.publicUrl, siteId);
      return (
        known && {
          issuer,
          jwks_uri: `${issuer}/.well-known/jwks.json`,
          id_token_signing_alg_values_supported: [
            ...new Set(known.publicJwks.map(({ alg }) => alg)),
          ],
          subject_types_supported: ["public"],
          claims_supported: CLAIMS,
        }
      );
    },
  };
}

async function find(deps: Deps, siteId: SiteId): Promise<KnownSite | undefined> {
  try {
    return await deps.sites.get(siteId);
  } catch (error) {
    if (error instanceof Failure && error.reason === "site_not_found") return undefined;
    throw error;
  }
}
