import { invalidField } from "../model/failure.ts";
import { parseId, type SiteId } from "../model/id.ts";
import type { RouteRequirements } from "../model/proxied-request.ts";
import { parseRoles } from "../model/role.ts";
import { parseAudience } from "./audiences.ts";

const ENTRIES_MAX = 16;
const ALTERNATIVES_MAX = 32;

/**
 * Reads what a route asks: `role` and `site`, each with one or several values by commas of which
 * one has to be met, `audience`, and `redirect=login`.
 *
 * A name that stands twice asks twice, so that whoever manages to add a parameter can only ask for
 * more. What is not known is refused: a misspelt requirement must not let everybody pass.
 *
 * @throws {Failure} `invalid_field`, naming the parameter.
 */
export function parseRequirements(entries: Iterable<readonly [string, string]>): RouteRequirements {
  const roles: (readonly string[])[] = [];
  const siteIds: (readonly SiteId[])[] = [];
  let [audience, redirects, count] = ["", false, 0];
  for (const [name, value] of entries) {
    count += 1;
    if (count > ENTRIES_MAX) throw invalidField("query", `must have at most ${ENTRIES_MAX} names`);
    switch (name) {
      case "role":
        roles.push(parseRoles(alternatives(value, name), name));
        break;
      case "site":
        siteIds.push(alternatives(value, name).map((text) => parseId<SiteId>(text, name)));
        break;
      case "audience":
        if (audience !== "") throw invalidField(name, "must stand once");
        audience = parseAudience(value, name);
        break;
      case "redirect":
        if (value !== "login") throw invalidField(name, "must be login");
        redirects = true;
        break;
      default:
        throw invalidField("query", "may have role, site, audience and redirect");
    }
  }
  return { roles, siteIds, audience, redirects };
}

function alternatives(value: string, name: string): string[] {
  const texts = value.split(",", ALTERNATIVES_MAX + 1);
  if (texts.length <= ALTERNATIVES_MAX) return texts;
  throw invalidField(name, `must have at most ${ALTERNATIVES_MAX} values`);
}
