import {
  ChangeKindSchema,
  type Webhook,
  type WebhookAttempt,
  WebhookDeliveryStateSchema,
  WebhookProblem,
  WebhookProblemSchema,
  WebhookStateSchema,
} from "../../gen/signet/v1/change_pb.ts";
import type {
  ListWebhookDeliveriesResponse,
  ListWebhooksResponse,
} from "../../gen/signet/v1/sync_service_pb.ts";
import { enumWords } from "./enum-words.ts";
import { layOutFields, layOutTable } from "./layout.ts";
import { listText, timeText } from "./values.ts";

const KINDS = enumWords(ChangeKindSchema);
const STATES = enumWords(WebhookStateSchema);
const DELIVERY_STATES = enumWords(WebhookDeliveryStateSchema);
const PROBLEMS = enumWords(WebhookProblemSchema, " ");

/** Lays out a webhook. */
export function layOutWebhook({ webhook }: { readonly webhook?: Webhook | undefined }): string {
  if (!webhook) return "";
  return layOutFields([
    ["Webhook", webhook.id],
    ["Site", webhook.siteId],
    ["URL", webhook.url],
    ["Label", webhook.label],
    ["Kinds", kindsText(webhook)],
    ["User fields", listText(webhook.userFields)],
    ["State", STATES.wordOf(webhook.state)],
    ["Position", String(webhook.position)],
    ["Waiting", String(webhook.pendingCount)],
    ["Last attempt", webhook.lastAttempt && attemptText(webhook.lastAttempt)],
    ["Failing since", timeText(webhook.failTime)],
    ["Created", timeText(webhook.createTime)],
  ]);
}

/** Lays out a webhook with a secret that was just made; a repeated call answers without one. */
export function layOutNewSecret(answer: {
  readonly webhook?: Webhook | undefined;
  readonly secret: string;
}): string {
  const secret = answer.secret || "was shown when the webhook was created";
  return `${layOutWebhook(answer)}\n\nSecret, shown only now:\n${secret}`;
}

/** Lays out a table of webhooks. */
export function layOutWebhooks({ webhooks }: ListWebhooksResponse): string {
  if (webhooks.length === 0) return "There are no webhooks.";
  return layOutTable(
    ["id", "url", "label", "kinds", "state", "waiting", "last attempt"],
    webhooks.map((webhook) => [
      webhook.id,
      webhook.url,
      webhook.label,
      kindsText(webhook),
      STATES.wordOf(webhook.state),
      String(webhook.pendingCount),
      webhook.lastAttempt && attemptText(webhook.lastAttempt),
    ]),
  );
}

/** Lays out a table of deliveries. */
export function layOutDeliveries({
  deliveries,
  nextPageToken,
}: ListWebhookDeliveriesResponse): string {
  if (deliveries.length === 0) return "There are no deliveries.";
  const table = layOutTable(
    ["position", "kind", "user", "state", "attempts", "last attempt", "next attempt", "id"],
    deliveries.map((delivery) => [
      String(delivery.position),
      KINDS.wordOf(delivery.kind),
      delivery.userId,
      DELIVERY_STATES.wordOf(delivery.state),
      String(delivery.attemptCount),
      delivery.lastAttempt && attemptText(delivery.lastAttempt),
      timeText(delivery.nextAttemptTime),
      delivery.id,
    ]),
  );
  return nextPageToken === "" ? table : `${table}\n\nMore: --page-token ${nextPageToken}`;
}

/** Lays out an attempt. */
export function layOutAttempt({ attempt }: { readonly attempt?: WebhookAttempt | undefined }) {
  return attempt ? `${attemptText(attempt)}, after ${attempt.durationMs} ms` : "";
}

function kindsText({ kinds }: Webhook): string {
  return kinds.length === 0 ? "all" : listText(kinds.map((kind) => KINDS.wordOf(kind)));
}

function attemptText({ httpStatus, problem }: WebhookAttempt): string {
  const status = httpStatus === 0 ? "" : ` (${httpStatus})`;
  const outcome = problem === WebhookProblem.UNSPECIFIED ? "accepted" : PROBLEMS.wordOf(problem);
  return `${outcome}${status}`;
}
