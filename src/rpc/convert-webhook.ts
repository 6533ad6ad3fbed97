import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  WebhookDeliveryState as DeliveryStateMessage,
  WebhookProblem as ProblemMessage,
  WebhookState as StateMessage,
} from "../../gen/signet/v1/change_pb.ts";
import {
  type DeliveryState,
  eventIdOf,
  type Webhook,
  type WebhookAttempt,
  type WebhookDelivery,
  type WebhookProblem,
  type WebhookState,
} from "../model/webhook.ts";
import { optionalTimestamp } from "./convert-session.ts";
import { KIND } from "./watch-scope.ts";

const STATE: Readonly<Record<WebhookState, StateMessage>> = {
  enabled: StateMessage.ENABLED,
  disabled: StateMessage.DISABLED,
  failed: StateMessage.FAILED,
  gone: StateMessage.GONE,
};

const DELIVERY_STATE: Readonly<Record<DeliveryState, DeliveryStateMessage>> = {
  pending: DeliveryStateMessage.PENDING,
  delivered: DeliveryStateMessage.DELIVERED,
  dead: DeliveryStateMessage.DEAD,
};

const PROBLEM: Readonly<Record<WebhookProblem, ProblemMessage>> = {
  name_not_found: ProblemMessage.NAME_NOT_FOUND,
  address_refused: ProblemMessage.ADDRESS_REFUSED,
  connection_failed: ProblemMessage.CONNECTION_FAILED,
  tls_failed: ProblemMessage.TLS_FAILED,
  timed_out: ProblemMessage.TIMED_OUT,
  status_refused: ProblemMessage.STATUS_REFUSED,
  answer_invalid: ProblemMessage.ANSWER_INVALID,
};

/** Returns the state that a message names; undefined: none. */
export function deliveryStateOf(message: DeliveryStateMessage): DeliveryState | undefined {
  const states = Object.keys(DELIVERY_STATE) as DeliveryState[];
  return states.find((state) => DELIVERY_STATE[state] === message);
}

/** Translates a webhook; of its secrets, when those that sign now began and cease to. */
export function toWebhookMessage(webhook: Webhook, now: Date) {
  return {
    id: webhook.id,
    siteId: webhook.siteId,
    version: BigInt(webhook.version),
    url: webhook.url,
    label: webhook.label,
    kinds: webhook.kinds.map((kind) => KIND[kind]),
    userFields: [...webhook.userFields],
    state: STATE[webhook.state],
    secrets: webhook.secrets
      .filter(({ expireTime }) => !expireTime || expireTime > now)
      .map(({ createTime, expireTime }) => ({
        createTime: timestampFromDate(createTime),
        expireTime: optionalTimestamp(expireTime),
      })),
    position: BigInt(webhook.position),
    pendingCount: BigInt(webhook.pendingCount),
    lastAttempt: webhook.lastAttempt && toAttemptMessage(webhook.lastAttempt),
    failTime: optionalTimestamp(webhook.failTime),
    createTime: timestampFromDate(webhook.createTime),
    updateTime: timestampFromDate(webhook.updateTime),
  };
}

/** Translates a delivery. */
export function toDeliveryMessage(delivery: WebhookDelivery) {
  return {
    id: eventIdOf(delivery.webhookId, delivery),
    webhookId: delivery.webhookId,
    position: BigInt(delivery.position),
    kind: KIND[delivery.kind],
    userId: delivery.userId,
    state: DELIVERY_STATE[delivery.state],
    attemptCount: delivery.attemptCount,
    lastAttempt: delivery.lastAttempt && toAttemptMessage(delivery.lastAttempt),
    nextAttemptTime: optionalTimestamp(delivery.nextAttemptTime),
    createTime: timestampFromDate(delivery.createTime),
  };
}

/** Translates an attempt. */
export function toAttemptMessage({ sendTime, durationMs, status, problem }: WebhookAttempt) {
  return {
    sendTime: timestampFromDate(sendTime),
    durationMs,
    httpStatus: status,
    problem: problem ? PROBLEM[problem] : ProblemMessage.UNSPECIFIED,
  };
}
