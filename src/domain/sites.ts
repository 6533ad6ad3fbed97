import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import { newId, type SiteId } from "../model/id.ts";
import type { Site, SiteSettings } from "../model/site.ts";
import type { DomainName } from "../model/url.ts";
import { appendNotice } from "../store/changes.ts";
import { insertSigningKey } from "../store/signing-keys.ts";
import { listSites as listStoredSites, type SiteFilter } from "../store/site-lists.ts";
import { findSite, findSiteIdOfDomain, insertSite } from "../store/sites.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { makeSigningKey } from "./signing-keys.ts";
import { write } from "./write.ts";

/**
 * Creates a Site with one key that signs and one that stands ready.
 *
 * With an id, a repeat answers with the Site as it is.
 *
 * @throws {Failure} `domain_taken`; `id_taken` if the id is another Site's.
 */
export async function createSite(
  deps: Deps,
  caller: Caller,
  id: SiteId | undefined,
  settings: SiteSettings,
): Promise<Site> {
  const siteId = id ?? newId<SiteId>(deps.clock.now());
  const makeKey = (state: "current" | "next") =>
    makeSigningKey(deps.envelope, siteId, settings.signingAlgorithm, state, deps.clock.now());
  const [current, next] = await Promise.all([makeKey("current"), makeKey("next")]);
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const inserted = await insertSite(tx, siteId, settings, now);
    if (inserted) {
      await insertSigningKey(tx, siteId, current);
      await insertSigningKey(tx, siteId, next);
      await appendNotice(tx, siteId, { kind: "site_changed", subjectId: siteId }, now);
      await recordAct(tx, siteId, caller, { kind: "site.created", subjectId: siteId }, now);
    }
    const site = await findSite(tx, siteId);
    // The same name tells a repeat from a slip; the rest may have been changed since.
    if (!site || site.name !== settings.name) throw new Failure("id_taken");
    return site;
  });
}

/** @throws {Failure} `site_not_found` */
export async function getSite(deps: Deps, siteId: SiteId): Promise<Site> {
  const site = await deps.db.inSite(siteId, (tx) => findSite(tx, siteId), { readOnly: true });
  if (!site) throw new Failure("site_not_found");
  return site;
}

/** Lists at most `limit` Sites after an id, in the order of their ids. */
export async function listSites(
  deps: Deps,
  filter: SiteFilter,
  page: { readonly after: SiteId | undefined; readonly limit: number },
): Promise<Site[]> {
  return await listStoredSites({ query: deps.db.acrossSites }, filter, page);
}

/** Finds the Site that a domain leads to. @throws {Failure} `site_not_found` */
export async function getSiteByDomain(deps: Deps, domain: DomainName): Promise<Site> {
  const across = { query: deps.db.acrossSites };
  const siteId = await findSiteIdOfDomain(across, domain);
  if (!siteId) throw new Failure("site_not_found");
  return (await deps.sites.get(siteId)).site;
}
