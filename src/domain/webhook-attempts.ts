import { randomUUID } from "node:crypto";
import { signWebhook } from "../crypto/webhook-signature.ts";
import type { WebhookAttempt } from "../model/webhook.ts";
import { findSiteHead } from "../store/changes.ts";
import type { WebhookRef } from "../store/webhook-work.ts";
import { listSealedSecrets } from "../store/webhooks.ts";
import type { Deps } from "./deps.ts";
import type { WebhookEvent } from "./webhook-events.ts";
import { openWebhookSecret } from "./webhook-secrets.ts";
import { requireWebhook } from "./webhooks.ts";

/** What attempts are made with. */
export type AttemptDeps = Pick<Deps, "clock" | "envelope" | "encodeWebhookEvent" | "webhookPost">;

/** Where an event goes, and what signs it. */
export interface AttemptTarget {
  readonly url: string;
  /** Sealed, the newest first. */
  readonly secrets: readonly Buffer[];
}

/** An attempt, and how long the receiver asks to wait. */
export interface AttemptOutcome {
  readonly attempt: WebhookAttempt;
  readonly pauseMs: number | undefined;
}

/** Signs an event and posts it once. The bytes that are signed are those that are sent. */
export async function attemptDelivery(
  { clock, envelope, encodeWebhookEvent, webhookPost }: AttemptDeps,
  { url, secrets }: AttemptTarget,
  event: WebhookEvent,
  id: string,
): Promise<AttemptOutcome> {
  const { siteId, webhookId } = event;
  const body = encodeWebhookEvent(event);
  const sendTime = clock.now();
  const timestampSeconds = Math.floor(sendTime.getTime() / 1_000);
  const texts = secrets.map((sealed) =>
    openWebhookSecret(envelope, { siteId, id: webhookId }, sealed),
  );
  const headers = {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    "user-agent": "signet",
    "webhook-id": id,
    "webhook-timestamp": String(timestampSeconds),
    "webhook-signature": signWebhook(texts, { id, timestampSeconds, body }),
  };
  const beginMs = performance.now();
  const { status, problem, pauseMs } = await webhookPost.send({ url, headers, body });
  const durationMs = Math.round(performance.now() - beginMs);
  return { attempt: { sendTime, durationMs, status, problem }, pauseMs };
}

/**
 * Posts an event of type `test` once; nothing is changed or noted.
 *
 * @throws {Failure} `site_not_found`, `webhook_not_found`
 */
export async function sendTestWebhook(
  deps: AttemptDeps & Pick<Deps, "db" | "sites">,
  ref: WebhookRef,
): Promise<WebhookAttempt> {
  const { siteId, id } = ref;
  await deps.sites.get(siteId);
  const time = deps.clock.now();
  const found = await deps.db.inSite(
    siteId,
    async (tx) => ({
      webhook: await requireWebhook(tx, ref),
      secrets: await listSealedSecrets(tx, siteId, id, time),
      head: await findSiteHead(tx, siteId),
    }),
    { readOnly: true },
  );
  const { url, userFields } = found.webhook;
  const place = { epoch: found.head.epoch, position: 0, previousPosition: 0 };
  const event = { ...place, webhookId: id, siteId, time, userFields, change: undefined };
  const target = { url, secrets: found.secrets };
  return (await attemptDelivery(deps, target, event, `evt_test_${randomUUID()}`)).attempt;
}
