import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import type { ProxiedRequest, ProxiedTarget, RouteRequirements } from "../model/proxied-request.ts";
import type { Site } from "../model/site.ts";
import type { Deps } from "./deps.ts";

/** What the login page is told of where the browser wanted to go. */
const RETURN_PARAMETER = "return_to";

/**
 * Returns where a browser goes to sign in; undefined for what is no page load, such as a call of
 * a script, or where the route or the service does not ask for it.
 *
 * The URL takes the original one along only where that belongs to the login page's own origin or
 * to a Site that the route names: else anybody could make links that lead out of the login page.
 */
export async function loginUrlFor(
  deps: Deps,
  loginUrl: string | undefined,
  request: ProxiedRequest,
  requirements: RouteRequirements,
): Promise<string | undefined> {
  if (loginUrl === undefined || !requirements.redirects || !isPageLoad(request)) return undefined;
  const url = new URL(loginUrl);
  const target = readTarget(request.target);
  if (target && (await isOwn(deps, target, url, requirements))) {
    url.searchParams.set(RETURN_PARAMETER, target.href);
  }
  return url.href;
}

function isPageLoad({ method, accept }: ProxiedRequest): boolean {
  return method === "GET" && /(?:^|,)\s*text\/html\s*(?:[;,]|$)/i.test(accept);
}

/** Puts the URL together; undefined unless every part is what it says, and no more. */
function readTarget({ scheme, host, path }: ProxiedTarget): URL | undefined {
  if (scheme !== "https" && scheme !== "http") return undefined;
  // A browser reads `//host` and `/\host` as another host, and takes control characters out.
  if (!/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(path)) return undefined;
  if (!/^[A-Za-z0-9.-]+(?::\d{1,5})?$/.test(host)) return undefined;
  if (host.length + path.length > LIMITS.urlLengthMax) return undefined;
  return URL.parse(`${scheme}://${host}${path}`) ?? undefined;
}

async function isOwn(
  { sites }: Deps,
  target: URL,
  loginUrl: URL,
  { siteIds }: RouteRequirements,
): Promise<boolean> {
  if (target.origin === loginUrl.origin) return true;
  for (const siteId of siteIds.flat()) {
    const site = await findSite(sites, siteId);
    if (site && belongsTo(site, target)) return true;
  }
  return false;
}

async function findSite(sites: Deps["sites"], siteId: SiteId): Promise<Site | undefined> {
  try {
    return (await sites.get(siteId)).site;
  } catch (error) {
    if (error instanceof Failure && error.reason === "site_not_found") return undefined;
    throw error;
  }
}

/** Its front end and its origins to the port; its domains over TLS on the usual one. */
function belongsTo(site: Site, { origin, protocol, hostname, port }: URL): boolean {
  const origins: readonly string[] = [new URL(site.frontendUrl).origin, ...site.origins];
  const domains: readonly string[] = site.domains;
  if (origins.includes(origin)) return true;
  return protocol === "https:" && port === "" && domains.includes(hostname);
}
