import type { Caller, Scope } from "../model/caller.ts";
import { Failure, invalidField } from "../model/failure.ts";
import { parseId, type SiteId } from "../model/id.ts";

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

/** Tells whether the caller has a scope; an operator has every one. */
export function hasScope(caller: Caller, scope: Scope): boolean {
  if (caller.kind === "operator") return true;
  return caller.kind === "site_key" && caller.scopes.includes(scope);
}

/** Refuses a value that this version of the service does not carry out yet. */
export function refuseField(field: string, present: boolean): void {
  if (present) throw invalidField(field, "is not supported yet");
}
