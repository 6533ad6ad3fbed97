import type { ServiceImpl } from "@connectrpc/connect";
import type { Scope as ScopeMessage } from "../../gen/signet/v1/access_pb.ts";
import type {
  CreateApiKeyRequest,
  ListApiKeysRequest,
  SiteService,
} from "../../gen/signet/v1/site_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import { createApiKey, listApiKeys, revokeApiKey } from "../domain/api-keys.ts";
import type { Deps } from "../domain/deps.ts";
import {
  createOperatorKey,
  listOperatorKeys,
  requireOperator,
  revokeOperatorKey,
} from "../domain/operator-keys.ts";
import { openPageOf, sealPageOf } from "../domain/page-token.ts";
import type { ApiKey, ApiKeyPage, OperatorKey } from "../model/api-key.ts";
import type { Caller, Scope } from "../model/caller.ts";
import { invalidField } from "../model/failure.ts";
import {
  type ApiKeyId,
  idFromBytes,
  idToBytes,
  NO_SITE,
  parseId,
  parseOptionalId,
  type SiteId,
} from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { parseText } from "../model/text.ts";
import { scopeFromMessage, scopeToMessage } from "./access-rules.ts";
import { callerOf } from "./authorize.ts";
import { optionalTimestamp } from "./convert-session.ts";
import { pageLimit } from "./pagination.ts";
import { parseTime } from "./parse-time.ts";
import { parseUserFields } from "./user-fields.ts";

/** The calls about site keys and operator keys. */
export function apiKeyCalls(deps: Deps) {
  return {
    async createApiKey(request, { values }) {
      const caller = callerOf(values);
      const { key, secret } = request.operator
        ? await createOperatorKey(deps, requireOperator(caller), parseOperatorKey(request))
        : await createApiKey(deps, caller, siteOf(caller, request.siteId), parseSiteKey(request));
      return { apiKey: toApiKeyMessage(key), secret: secret?.reveal() ?? "" };
    },

    async listApiKeys(request, { values }) {
      const siteId = listOf(callerOf(values), request);
      const question = { list: "api_keys", filter: String(request.includeInactive) };
      const place = openPageOf(deps, siteId, question, request.pageToken);
      const page: ApiKeyPage = {
        after: place && idFromBytes<ApiKeyId>(place),
        limit: pageLimit(request.pageSize),
        activeAt: request.includeInactive ? undefined : deps.clock.now(),
      };
      const keys =
        siteId === NO_SITE
          ? await listOperatorKeys(deps, page)
          : await listApiKeys(deps, siteId, page);
      const last = keys.length === page.limit ? keys.at(-1) : undefined;
      return {
        apiKeys: keys.map(toApiKeyMessage),
        nextPageToken: last ? sealPageOf(deps, siteId, question, idToBytes(last.id)) : "",
      };
    },

    async revokeApiKey(request, { values }) {
      const caller = callerOf(values);
      const id = parseId<ApiKeyId>(request.apiKeyId, "api_key_id");
      const key =
        caller.kind === "operator" && request.siteId === ""
          ? await revokeOperatorKey(deps, caller, id)
          : await revokeApiKey(deps, caller, siteOf(caller, request.siteId), id);
      return { apiKey: toApiKeyMessage(key) };
    },
  } satisfies Partial<ServiceImpl<typeof SiteService>>;
}

/** Whose keys are listed: a Site's, or the operators'. */
function listOf(caller: Caller, { operator, siteId }: ListApiKeysRequest): SiteId {
  if (!operator) return siteOf(caller, siteId);
  requireOperator(caller);
  if (siteId !== "") throw invalidField("site_id", "must be empty with operator");
  return NO_SITE;
}

function parseOperatorKey(request: CreateApiKeyRequest) {
  if (request.siteId !== "") throw invalidField("site_id", "must be empty with operator");
  if (request.scopes.length > 0) throw invalidField("scopes", "must be empty with operator");
  if (request.userFields.length > 0) {
    throw invalidField("user_fields", "must be empty with operator");
  }
  return parseNewKey(request);
}

function parseSiteKey(request: CreateApiKeyRequest) {
  if (request.userFields.length > LIMITS.userFieldsMax) {
    throw invalidField("user_fields", `must be at most ${LIMITS.userFieldsMax}`);
  }
  const userFields = parseUserFields(request.userFields, "user_fields");
  return { ...parseNewKey(request), scopes: parseScopes(request.scopes), userFields };
}

function parseNewKey(request: CreateApiKeyRequest) {
  return {
    id: parseOptionalId<ApiKeyId>(request.id, "id"),
    label: parseText(request.label, "label", { max: LIMITS.nameLengthMax, required: true }),
    expireTime: request.expireTime && parseTime(request.expireTime, "expire_time"),
  };
}

function parseScopes(messages: readonly ScopeMessage[]): Scope[] {
  if (messages.length === 0) throw invalidField("scopes", "is required");
  if (messages.length > LIMITS.scopesMax) {
    throw invalidField("scopes", `must be at most ${LIMITS.scopesMax}`);
  }
  const scopes = messages.map((message) => {
    const scope = scopeFromMessage(message);
    if (!scope) throw invalidField("scopes", "must hold scopes");
    return scope;
  });
  return [...new Set(scopes)];
}

/** An operator key has no Site, scopes and fields. */
function toApiKeyMessage(key: OperatorKey | ApiKey) {
  return {
    id: key.id,
    ...("siteId" in key && {
      siteId: key.siteId,
      scopes: key.scopes.map(scopeToMessage),
      userFields: [...key.userFields],
    }),
    label: key.label,
    createTime: optionalTimestamp(key.createTime),
    expireTime: optionalTimestamp(key.expireTime),
    lastUseTime: optionalTimestamp(key.lastUseTime),
    revokeTime: optionalTimestamp(key.revokeTime),
  };
}
