import type { Logger } from "pino";
import type { Deps } from "../domain/deps.ts";
import { Failure } from "../model/failure.ts";
import { parseId, type SiteId } from "../model/id.ts";
import type { OneTimePurpose } from "../model/one-time.ts";
import { HOSTED_PATHS, type LinkPages, type Site } from "../model/site.ts";
import { toConnectError } from "./errors.ts";

const PURPOSES = Object.keys(HOSTED_PATHS) as OneTimePurpose[]; // As its type says.

/**
 * Creates what finds a Site for the pages that Signet hosts: what they show of it, and which of
 * them its mails lead to. Undefined: there is no such Site.
 *
 * What is found throws ConnectErrors and nothing else.
 */
export function createPageSites(
  { sites }: Pick<Deps, "sites">,
  { isStarted, log }: { readonly isStarted: () => boolean; readonly log: Logger },
) {
  return async (siteId: string) => {
    try {
      if (!isStarted()) throw new Failure("unavailable", {}, { retryDelayMs: 1_000 });
      const { site } = await sites.get(parseId<SiteId>(siteId, "site_id"));
      return toPageSite(site);
    } catch (error) {
      const isUnknown =
        error instanceof Failure && ["invalid_field", "site_not_found"].includes(error.reason);
      if (isUnknown) return undefined;
      throw toConnectError(error, log);
    }
  };
}

function toPageSite(site: Site) {
  const { name, locale, accentColor, passwordLengthMin, frontendUrl, redirectUrls } = site;
  const look = { name, locale, accentColor, passwordLengthMin, frontendUrl, redirectUrls };
  return { ...look, hosted: hostedBy(site.linkPages) };
}

function hostedBy(linkPages: LinkPages) {
  const hosted = PURPOSES.filter((purpose) => linkPages[purpose] === "");
  return new Set(hosted.map((purpose) => HOSTED_PATHS[purpose]));
}
