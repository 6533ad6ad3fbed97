import { createHmac, randomBytes } from "node:crypto";
import { type Secret, secret } from "../model/secret.ts";

/** What a signature covers: what is received, to the byte. */
export interface SignedWebhook {
  readonly id: string;
  readonly timestampSeconds: number;
  readonly body: string;
}

const PREFIX = "whsec_";
const SECRET_BYTES = 32;

/** Makes a secret that signs the requests of one webhook, in the form of Standard Webhooks. */
export function mintWebhookSecret(): Secret {
  return secret(PREFIX + randomBytes(SECRET_BYTES).toString("base64"));
}

/**
 * Signs a request by Standard Webhooks 1.0: HMAC-SHA256 under each secret over id, time and body.
 * Returns the header, with one signature for each secret.
 */
export function signWebhook(
  secrets: readonly Secret[],
  { id, timestampSeconds, body }: SignedWebhook,
): string {
  const content = `${id}.${timestampSeconds}.${body}`;
  return secrets
    .map((each) => createHmac("sha256", keyOf(each)).update(content).digest("base64"))
    .map((signature) => `v1,${signature}`)
    .join(" ");
}

function keyOf(text: Secret): Buffer {
  return Buffer.from(text.reveal().slice(PREFIX.length), "base64");
}
