import type { ServiceImpl } from "@connectrpc/connect";
import type { ListSitesRequest, SiteService } from "../../gen/signet/v1/site_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { openPageOf, sealPageOf } from "../domain/page-token.ts";
import { rotateSigningKey } from "../domain/signing-key-rotation.ts";
import { deleteSite } from "../domain/site-deletion.ts";
import { updateSite } from "../domain/site-update.ts";
import { createSite, getSite, getSiteByDomain, listSites } from "../domain/sites.ts";
import { invalidField } from "../model/failure.ts";
import {
  idFromBytes,
  idToBytes,
  NO_SITE,
  parseId,
  parseOptionalId,
  type SigningKeyId,
  type SiteId,
} from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { parseText } from "../model/text.ts";
import { parseDomain } from "../model/url.ts";
import { fitSites } from "./answer-weight.ts";
import { callerOf } from "./authorize.ts";
import { optionalTimestamp } from "./convert-session.ts";
import { toSigningKeyMessage } from "./convert-signing-key.ts";
import {
  parseSiteChanges,
  parseSiteSettings,
  toPublicSiteMessage,
  toSiteMessage,
} from "./convert-site.ts";
import { pageLimit } from "./pagination.ts";

/** What anybody may know of a Site changes seldom. */
const CACHED = "public, max-age=60";

/** The calls about Sites. */
export function siteCalls(deps: Deps) {
  const { publicUrl } = deps;
  return {
    async createSite(request, { values }) {
      const id = parseOptionalId<SiteId>(request.id, "id");
      if (id === NO_SITE) throw invalidField("id", "must not be all zeros");
      const settings = parseSiteSettings(request);
      const site = await createSite(deps, callerOf(values), id, settings);
      return { site: toSiteMessage(site, publicUrl) };
    },

    async getSite(request, { values }) {
      const site = await getSite(deps, siteOf(callerOf(values), request.siteId));
      return { site: toSiteMessage(site, publicUrl) };
    },

    async getSiteByDomain(request, { requestMethod, responseHeader }) {
      const site = await getSiteByDomain(deps, parseDomain(request.domain, "domain"));
      if (requestMethod === "GET") responseHeader.set("cache-control", CACHED);
      return { site: toPublicSiteMessage(site, publicUrl) };
    },

    async listSites(request) {
      const limit = pageLimit(request.pageSize);
      const filter = parseFilter(request);
      const question = { list: "sites", filter: JSON.stringify(filter) };
      const place = openPageOf(deps, NO_SITE, question, request.pageToken);
      const after = place && idFromBytes<SiteId>(place);
      const found = await listSites(deps, filter, { after, limit });
      const sites = fitSites(found);
      const isEnd = sites.length === found.length && found.length < limit;
      const last = isEnd ? undefined : sites.at(-1);
      return {
        sites: sites.map((site) => toSiteMessage(site, publicUrl)),
        nextPageToken: last ? sealPageOf(deps, NO_SITE, question, idToBytes(last.id)) : "",
      };
    },

    async updateSite(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const changes = parseSiteChanges(request);
      const { expectedVersion: version } = request;
      const expectedVersion = version === undefined ? undefined : Number(version);
      const site = await updateSite(deps, caller, siteId, { changes, expectedVersion });
      return { site: toSiteMessage(site, publicUrl) };
    },

    async deleteSite(request, { values }) {
      const siteId = parseId<SiteId>(request.siteId, "site_id");
      const users = await deleteSite(deps, callerOf(values), siteId);
      return { remainingUsers: BigInt(users) };
    },

    async rotateSigningKey(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const { keys, scheduledTime } = await rotateSigningKey(deps, caller, siteId, {
        currentKeyId: parseOptionalId<SigningKeyId>(request.currentKeyId, "current_key_id"),
        withdraw: request.withdraw,
      });
      return {
        signingKeys: keys.map(toSigningKeyMessage),
        scheduledTime: optionalTimestamp(scheduledTime),
      };
    },
  } satisfies Partial<ServiceImpl<typeof SiteService>>;
}

function parseFilter({ namePrefix, domain }: ListSitesRequest) {
  return {
    namePrefix: parseText(namePrefix, "name_prefix", { max: LIMITS.nameLengthMax }),
    domain: domain && parseDomain(domain, "domain"),
  };
}
