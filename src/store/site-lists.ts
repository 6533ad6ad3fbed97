import type { SiteId } from "../model/id.ts";
import type { Site } from "../model/site.ts";
import { SITE_COLUMNS, type SiteRow, toSite } from "./sites.ts";
import { type Queryable, sql } from "./sql.ts";

/** Which Sites are meant; an empty condition holds for all. */
export interface SiteFilter {
  /** In any case. */
  readonly namePrefix: string;
  readonly domain: string;
}

/** Lists at most `limit` Sites after an id, in the order of their ids. Needs no Site. */
export async function listSites(
  db: Queryable,
  { namePrefix, domain }: SiteFilter,
  page: { readonly after: SiteId | undefined; readonly limit: number },
): Promise<Site[]> {
  const { rows } = await db.query<SiteRow>(sql`
    select ${SITE_COLUMNS}, domains
      from signet.list_sites(${namePrefix}, ${domain}, ${page.after ?? null}, ${page.limit}) found
     cross join lateral (select (found.site).*) one
     order by id`);
  return rows.map(toSite);
}
