import type { Client } from "@connectrpc/connect";
import type { SiteService } from "../../gen/signet/v1/site_service_pb.ts";
import { VerifierUnavailableError } from "./token-error.ts";
import { createTokenVerifier, readAudience, type TokenVerifier } from "./token-verifier.ts";

/**
 * Makes a verifier that asks Signet at first use for the Site's issuer, which may have another
 * address than the one that this client calls, and fetches public keys from the latter.
 */
export function createSiteVerifier(
  sites: Client<typeof SiteService>,
  url: string,
  siteId: string | undefined,
  audienceOption: string | readonly string[],
): TokenVerifier {
  const audience = readAudience(audienceOption);
  let verifier: Promise<TokenVerifier> | undefined;

  async function open(): Promise<TokenVerifier> {
    const { site } = await sites.getSite({ siteId: siteId ?? "" });
    const { id = "", issuer = "" } = site ?? {};
    const jwksUrl = `${url}/sites/${id}/.well-known/jwks.json`;
    return createTokenVerifier({ issuer, jwksUrl, audience });
  }

  return {
    async verify(token) {
      verifier ??= open();
      const opened = await verifier.catch((error: unknown) => {
        verifier = undefined; // The next token asks anew.
        throw new VerifierUnavailableError({ cause: error });
      });
      return opened.verify(token);
    },
  };
}
