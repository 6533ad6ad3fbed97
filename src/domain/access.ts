import type { Caller, Scope } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import { parseId, type SiteId } from "../model/id.ts";
import type { KnownSites } from "./known-sites.ts";

/**
 * Returns the Site that a call is about.
 *
 * A site key and a User act within their own Site, whatever the request says; to name another
 * is like naming none that exists. An operator and an anonymous caller name it.
 *
 * @throws {Failure} `site_not_found`, or `invalid_field` for `site_id`.
 */
export function siteOf(caller: Caller, requestedSiteId: string): SiteId {
  switch (caller.kind) {
    case "operator":
    case "anonymous":
      return parseId<SiteId>(requestedSiteId, "site_id");
    case "site_key":
    case "user":
      if (requestedSiteId === "") return caller.siteId;
      if (parseId<SiteId>(requestedSiteId, "site_id") !== caller.siteId) {
        throw new Failure("site_not_found");
      }
      return caller.siteId;
  }
}

/**
 * Returns the Site that a call is about, which exists: an operator may have named one that does
 * not, for which every other caller's credential would be none.
 *
 * @throws {Failure} `site_not_found`, or `invalid_field` for `site_id`.
 */
export async function knownSiteOf(
  sites: KnownSites,
  caller: Caller,
  requestedSiteId: string,
): Promise<SiteId> {
  const siteId = siteOf(caller, requestedSiteId);
  if (caller.kind === "operator") await sites.get(siteId);
  return siteId;
}

/** Tells whether the caller has a scope; an operator has every one. */
export function hasScope(caller: Caller, scope: Scope): boolean {
  if (caller.kind === "operator") return true;
  return caller.kind === "site_key" && caller.scopes.includes(scope);
}
