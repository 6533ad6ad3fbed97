import type { Envelope } from "../crypto/envelope.ts";
import { type Secret, secret } from "../model/secret.ts";
import type { WebhookRef } from "../store/webhook-work.ts";

/** Seals the secret of a webhook for its row. */
export function sealWebhookSecret(envelope: Envelope, webhook: WebhookRef, text: Secret): Buffer {
  return envelope.seal(scopeOf(webhook), Buffer.from(text.reveal()));
}

/** Opens what was sealed. */
export function openWebhookSecret(
  envelope: Envelope,
  webhook: WebhookRef,
  sealed: Uint8Array,
): Secret {
  return secret(envelope.open(scopeOf(webhook), sealed).toString());
}

function scopeOf({ siteId, id }: WebhookRef) {
  return { purpose: "webhook_secret", siteId, context: [id] };
}
