import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Scope as ScopeMessage } from "../../gen/signet/v1/access_pb.ts";
import type { CreateApiKeyRequest, SiteService } from "../../gen/signet/v1/site_service_pb.ts";
import { refuseField, siteOf } from "../domain/access.ts";
import { createApiKey, listApiKeys, type NewApiKey, revokeApiKey } from "../domain/api-keys.ts";
import type { Deps } from "../domain/deps.ts";
import { openPageToken, sealPageToken } from "../domain/page-token.ts";
import { rotateSigningKey } from "../domain/signing-key-rotation.ts";
import { createSite, getSite, getSiteByDomain } from "../domain/sites.ts";
import type { ApiKey } from "../model/api-key.ts";
import type { Scope } from "../model/caller.ts";
import { invalidField } from "../model/failure.ts";
import {
  type ApiKeyId,
  parseId,
  parseOptionalId,
  type SigningKeyId,
  type SiteId,
} from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { parseText } from "../model/text.ts";
import { parseDomain } from "../model/url.ts";
import { scopeFromMessage, scopeToMessage } from "./access-rules.ts";
import { callerOf } from "./authorize.ts";
import { optionalTimestamp } from "./convert-session.ts";
import { toSigningKeyMessage } from "./convert-signing-key.ts";
import { parseSiteSettings, toPublicSiteMessage, toSiteMessage } from "./convert-site.ts";
import { pageLimit } from "./pagination.ts";
import { parseUserFields } from "./user-fields.ts";

/** Implements `signet.v1.SiteService`. */
export function siteService(deps: Deps): Partial<ServiceImpl<typeof SiteService>> {
  const { publicUrl } = deps;
  return {
    async createSite(request, { values }) {
      const id = parseOptionalId<SiteId>(request.id, "id");
      const settings = parseSiteSettings(request);
      const site = await createSite(deps, callerOf(values), id, settings);
      return { site: toSiteMessage(site, publicUrl) };
    },

    async getSite(request, { values }) {
      const site = await getSite(deps, siteOf(callerOf(values), request.siteId));
      return { site: toSiteMessage(site, publicUrl) };
    },

    async getSiteByDomain(request) {
      const site = await getSiteByDomain(deps, parseDomain(request.domain, "domain"));
      return { site: toPublicSiteMessage(site, publicUrl) };
    },

    async createApiKey(request, { values }) {
      refuseField("operator", request.operator);
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const { key, secret } = await createApiKey(deps, caller, siteId, parseNewKey(request));
      return { apiKey: toApiKeyMessage(key), secret: secret?.reveal() ?? "" };
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

    async listApiKeys(request, { values }) {
      refuseField("operator", request.operator);
      const siteId = siteOf(callerOf(values), request.siteId);
      const limit = pageLimit(request.pageSize);
      const after = openPageToken<ApiKeyId>(deps, siteId, "api_keys", request.pageToken);
      const keys = await listApiKeys(deps, siteId, { after, limit });
      const last = keys.length === limit ? keys.at(-1) : undefined;
      const now = deps.clock.now();
      return {
        apiKeys: keys
          .filter((key) => request.includeInactive || isActive(key, now))
          .map(toApiKeyMessage),
        nextPageToken: last ? sealPageToken(deps, siteId, "api_keys", last.id) : "",
      };
    },

    async revokeApiKey(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const id = parseId<ApiKeyId>(request.apiKeyId, "api_key_id");
      return { apiKey: toApiKeyMessage(await revokeApiKey(deps, caller, siteId, id)) };
    },
  };
}

function parseNewKey(request: CreateApiKeyRequest): NewApiKey {
  return {
    id: parseOptionalId<ApiKeyId>(request.id, "id"),
    label: parseText(request.label, "label", { max: LIMITS.nameLengthMax, required: true }),
    scopes: parseScopes(request.scopes),
    userFields: parseUserFields(request.userFields, "user_fields"),
    expireTime: request.expireTime && timestampDate(request.expireTime),
  };
}

function parseScopes(messages: readonly ScopeMessage[]): Scope[] {
  if (messages.length === 0) throw invalidField("scopes", "is required");
  const scopes = messages.map((message) => {
    const scope = scopeFromMessage(message);
    if (!scope) throw invalidField("scopes", "must hold scopes");
    return scope;
  });
  return [...new Set(scopes)];
}

function isActive(key: ApiKey, now: Date): boolean {
  return !key.revokeTime && !(key.expireTime && key.expireTime <= now);
}

function toApiKeyMessage(key: ApiKey) {
  return {
    id: key.id,
    siteId: key.siteId,
    label: key.label,
    scopes: key.scopes.map(scopeToMessage),
    userFields: [...key.userFields],
    createTime: optionalTimestamp(key.createTime),
    expireTime: optionalTimestamp(key.expireTime),
    lastUseTime: optionalTimestamp(key.lastUseTime),
    revokeTime: optionalTimestamp(key.revokeTime),
  };
}
