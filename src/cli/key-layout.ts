import { ScopeSchema } from "../../gen/signet/v1/access_pb.ts";
import type { ApiKey } from "../../gen/signet/v1/site_pb.ts";
import type {
  CreateApiKeyResponse,
  ListApiKeysResponse,
} from "../../gen/signet/v1/site_service_pb.ts";
import { enumWords } from "./enum-words.ts";
import { layOutFields, layOutTable } from "./layout.ts";
import { listText, timeText } from "./values.ts";

const SCOPES = enumWords(ScopeSchema, ".");

/** Lays out a key. */
export function layOutKey({ apiKey }: { readonly apiKey?: ApiKey | undefined }): string {
  if (!apiKey) return "";
  return layOutFields([
    ["Key", apiKey.id],
    ["Site", apiKey.siteId],
    ["Label", apiKey.label],
    ["Scopes", scopesText(apiKey)],
    ["User fields", listText(apiKey.userFields)],
    ["Created", timeText(apiKey.createTime)],
    ["Expires", timeText(apiKey.expireTime)],
    ["Revoked", timeText(apiKey.revokeTime)],
  ]);
}

/** Lays out a key that was just made, with its secret; a repeated call answers without one. */
export function layOutNewKey(answer: CreateApiKeyResponse): string {
  const secret = answer.secret || "was shown when the key was created, and is not known any more";
  return `${layOutKey(answer)}\n\nSecret, shown only now:\n${secret}`;
}

/** Lays out a table of keys. */
export function layOutKeys({ apiKeys }: ListApiKeysResponse): string {
  if (apiKeys.length === 0) return "There are no keys.";
  return layOutTable(
    ["id", "label", "scopes", "created", "last use", "ends"],
    apiKeys.map((key) => [
      key.id,
      key.label,
      scopesText(key),
      timeText(key.createTime),
      timeText(key.lastUseTime),
      endText(key),
    ]),
  );
}

function scopesText({ siteId, scopes }: ApiKey): string {
  return siteId ? listText(scopes.map((scope) => SCOPES.wordOf(scope))) : "operator";
}

function endText({ revokeTime, expireTime }: ApiKey): string | undefined {
  return revokeTime ? `revoked ${timeText(revokeTime)}` : timeText(expireTime);
}
