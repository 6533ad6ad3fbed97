import type { ServiceImpl } from "@connectrpc/connect";
import type { WebhookDeliveryState } from "../../gen/signet/v1/change_pb.ts";
import type {
  RedeliverWebhookRequest,
  SyncService,
  UpdateWebhookRequest,
} from "../../gen/signet/v1/sync_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { openPageOf, openPageToken, sealPageOf, sealPageToken } from "../domain/page-token.ts";
import { sendTestWebhook } from "../domain/webhook-attempts.ts";
import { listDeliveries, type Redelivery, redeliver } from "../domain/webhook-deliveries.ts";
import { updateWebhook } from "../domain/webhook-update.ts";
import {
  createWebhook,
  deleteWebhook,
  listWebhooks,
  rotateWebhookSecret,
} from "../domain/webhooks.ts";
import type { Caller } from "../model/caller.ts";
import { Failure, invalidField } from "../model/failure.ts";
import { parseId, parseOptionalId, type UserId, type WebhookId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { parseText } from "../model/text.ts";
import { parseHttpUrl } from "../model/url.ts";
import type { DeliveryState } from "../model/webhook.ts";
import { callerOf } from "./authorize.ts";
import {
  deliveryStateOf,
  toAttemptMessage,
  toDeliveryMessage,
  toWebhookMessage,
} from "./convert-webhook.ts";
import { pageLimit } from "./pagination.ts";
import { parseUserFields } from "./user-fields.ts";
import { parseKinds } from "./watch-scope.ts";

const OVERLAP_SECONDS_DEFAULT = 86_400;
const OVERLAP_SECONDS_MAX = 30 * 86_400;
const POSITION_BYTES = 8;

/** Implements what `signet.v1.SyncService` has about webhooks. */
export function webhookCalls(deps: Deps) {
  return {
    async createWebhook(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const { webhook, secret } = await createWebhook(deps, caller, siteId, {
        id: parseOptionalId<WebhookId>(request.id, "id"),
        url: parseWebhookUrl(request.url),
        label: parseLabel(request.label),
        kinds: parseKinds(request.kinds, "kinds"),
        userFields: parseFields(request.userFields),
      });
      const message = toWebhookMessage(webhook, deps.clock.now());
      return { webhook: message, secret: secret?.reveal() ?? "" };
    },

    async listWebhooks(request, { values }) {
      const siteId = siteOf(callerOf(values), request.siteId);
      const limit = pageLimit(request.pageSize);
      const after = openPageToken<WebhookId>(deps, siteId, "webhooks", request.pageToken);
      const webhooks = await listWebhooks(deps, siteId, { after, limit });
      const last = webhooks.length === limit ? webhooks.at(-1) : undefined;
      const now = deps.clock.now();
      return {
        webhooks: webhooks.map((webhook) => toWebhookMessage(webhook, now)),
        nextPageToken: last ? sealPageToken(deps, siteId, "webhooks", last.id) : "",
      };
    },

    async updateWebhook(request, { values }) {
      const caller = callerOf(values);
      const ref = refOf(caller, request.siteId, request.id, "id");
      const webhook = await updateWebhook(deps, caller, ref, parseChange(request));
      return { webhook: toWebhookMessage(webhook, deps.clock.now()) };
    },

    async rotateWebhookSecret(request, { values }) {
      const caller = callerOf(values);
      const ref = refOf(caller, request.siteId, request.id, "id");
      const overlapSeconds = parseOverlap(request.overlapSeconds);
      const { webhook, secret } = await rotateWebhookSecret(deps, caller, ref, overlapSeconds);
      return { webhook: toWebhookMessage(webhook, deps.clock.now()), secret: secret.reveal() };
    },

    async deleteWebhook(request, { values }) {
      const caller = callerOf(values);
      await deleteWebhook(deps, caller, refOf(caller, request.siteId, request.id, "id"));
      return {};
    },

    async sendTestWebhook(request, { values }) {
      const ref = refOf(callerOf(values), request.siteId, request.id, "id");
      return { attempt: toAttemptMessage(await sendTestWebhook(deps, ref)) };
    },

    async listWebhookDeliveries(request, { values }) {
      const ref = refOf(callerOf(values), request.siteId, request.webhookId, "webhook_id");
      const limit = pageLimit(request.pageSize);
      const states = parseStates(request.states);
      const userId = parseOptionalId<UserId>(request.userId, "user_id");
      const filter = JSON.stringify([ref.id, states.toSorted(), userId ?? ""]);
      const question = { list: "webhook_deliveries", filter };
      const before = positionOf(openPageOf(deps, ref.siteId, question, request.pageToken));
      const found = await listDeliveries(deps, ref, { states, userId }, { before, limit });
      const last = found.length === limit ? found.at(-1) : undefined;
      const token = last && sealPageOf(deps, ref.siteId, question, bytesOf(last.position));
      return { deliveries: found.map(toDeliveryMessage), nextPageToken: token ?? "" };
    },

    async redeliverWebhook(request, { values }) {
      const caller = callerOf(values);
      const ref = refOf(caller, request.siteId, request.webhookId, "webhook_id");
      const queued = await redeliver(deps, caller, ref, parseRedelivery(request));
      return { queuedCount: BigInt(queued) };
    },
  } satisfies Partial<ServiceImpl<typeof SyncService>>;
}

function refOf(caller: Caller, siteId: string, id: string, field: string) {
  return { siteId: siteOf(caller, siteId), id: parseId<WebhookId>(id, field) };
}

/** Which hosts may be called in the clear is not a question of how the address is written. */
function parseWebhookUrl(text: string): string {
  return parseHttpUrl(text, "url", { plainAllowed: true });
}

function parseLabel(text: string): string {
  return parseText(text, "label", { max: LIMITS.nameLengthMax });
}

function parseFields(names: readonly string[]): string[] {
  if (names.length > LIMITS.userFieldsMax) {
    throw invalidField("user_fields", `must be at most ${LIMITS.userFieldsMax}`);
  }
  return parseUserFields(names, "user_fields");
}

function parseChange(request: UpdateWebhookRequest) {
  const { url, label, kinds, userFields, expectedVersion } = request;
  return {
    expectedVersion: expectedVersion === undefined ? undefined : Number(expectedVersion),
    settings: {
      ...(url !== undefined && { url: parseWebhookUrl(url) }),
      ...(label !== undefined && { label: parseLabel(label) }),
      ...(kinds && { kinds: parseKinds(kinds.kinds, "kinds.kinds") }),
      ...(userFields && { userFields: parseFields(userFields.userFields) }),
    },
    enabled: request.enabled,
    skipBacklog: request.skipBacklog,
  };
}

function parseOverlap(seconds: number | undefined): number {
  if (seconds === undefined) return OVERLAP_SECONDS_DEFAULT;
  if (seconds >= 0 && seconds <= OVERLAP_SECONDS_MAX) return seconds;
  throw invalidField("overlap_seconds", `must be from 0 to ${OVERLAP_SECONDS_MAX}`);
}

function parseStates(messages: readonly WebhookDeliveryState[]): DeliveryState[] {
  const states = messages.map((message) => {
    const state = deliveryStateOf(message);
    if (!state) throw invalidField("states", "must hold states of deliveries");
    return state;
  });
  return [...new Set(states)];
}

function parseRedelivery({ what }: RedeliverWebhookRequest): Redelivery {
  switch (what.case) {
    case "deliveryId":
      return { id: what.value };
    case "range": {
      const { firstPosition, lastPosition, undeliveredOnly } = what.value;
      const first = parsePosition(firstPosition, "range.first_position");
      if (first < 1) throw invalidField("range.first_position", "must be at least 1");
      const last = parsePosition(lastPosition, "range.last_position");
      return { first, last: last === 0 ? undefined : last, undeliveredOnly };
    }
    case undefined:
      throw invalidField("delivery_id", "or a range is required");
  }
}

function parsePosition(value: bigint, field: string): number {
  if (value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw invalidField(field, "must be a position");
}

function bytesOf(position: number): Buffer {
  const bytes = Buffer.alloc(POSITION_BYTES);
  bytes.writeBigUInt64BE(BigInt(position));
  return bytes;
}

function positionOf(place: Buffer | undefined): number | undefined {
  if (!place) return undefined;
  if (place.length !== POSITION_BYTES) throw new Failure("invalid_page_token");
  return Number(place.readBigUInt64BE());
}
