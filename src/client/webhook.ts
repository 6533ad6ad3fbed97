import { createHmac, timingSafeEqual } from "node:crypto";
import { fromJsonString } from "@bufbuild/protobuf";
import { type WebhookEvent, WebhookEventSchema } from "../../gen/signet/v1/change_pb.ts";

/** A request of a webhook as it came in. */
export interface ReceivedWebhook {
  /** Those of `node:http`, or of the Fetch API. */
  readonly headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The body to the byte, before any parser has touched it. */
  readonly body: string | Uint8Array;
}

/** By what a request is judged. */
export interface VerifyWebhookOptions {
  /** The secret of the webhook, `whsec_…`; while it is replaced, both. */
  readonly secrets: readonly string[];
  /** How far the time of the request may be from now; by default 300 s. */
  readonly toleranceSeconds?: number;
  /** By default the time of this machine. */
  readonly now?: Date;
}

/** A request that came from Signet. */
export interface VerifiedWebhook {
  /** The same over all attempts: what was seen under it may be skipped. */
  readonly id: string;
  readonly event: WebhookEvent;
}

/** What is wrong with a request. */
export type WebhookRefusal =
  | "header_missing"
  | "time_malformed"
  | "time_out_of_tolerance"
  | "signature_mismatch"
  | "body_malformed";

/** A request is not one of Signet's, or not a fresh one: answer with 400, and do nothing. */
export class WebhookVerificationError extends Error {
  readonly problem: WebhookRefusal;

  constructor(problem: WebhookRefusal) {
    super(`the webhook is not to be believed: ${problem.replaceAll("_", " ")}`);
    this.name = "WebhookVerificationError";
    this.problem = problem;
  }
}

const TOLERANCE_SECONDS = 300;
const SECRET_PREFIX = "whsec_";

/**
 * Verifies a request by Standard Webhooks 1.0, and reads its event: one of the signatures must be
 * made with one of the secrets over id, time and body, and the time must be near.
 *
 * @throws {WebhookVerificationError} if it is not so.
 */
export function verifyWebhook(
  { headers, body }: ReceivedWebhook,
  { secrets, toleranceSeconds = TOLERANCE_SECONDS, now = new Date() }: VerifyWebhookOptions,
): VerifiedWebhook {
  const [id, time, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(
    (name) => headerOf(headers, name),
  );
  if (!id || !time || !signatures) throw new WebhookVerificationError("header_missing");
  if (!/^[1-9]\d{0,11}$/.test(time)) throw new WebhookVerificationError("time_malformed");
  if (Math.abs(now.getTime() / 1_000 - Number(time)) > toleranceSeconds) {
    throw new WebhookVerificationError("time_out_of_tolerance");
  }
  const bytes = Buffer.from(body);
  const isSigned = secrets.some((secret) => {
    const signature = signatureOf(secret, `${id}.${time}.`, bytes);
    return signatures.split(" ").some((given) => isSame(given, signature));
  });
  if (!isSigned) throw new WebhookVerificationError("signature_mismatch");
  return { id, event: readEvent(bytes.toString()) };
}

function headerOf(headers: ReceivedWebhook["headers"], name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  const value = headers[name];
  return typeof value === "string" ? value : value?.[0];
}

function signatureOf(secret: string, prefix: string, body: Uint8Array): Buffer {
  const text = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret;
  const hmac = createHmac("sha256", Buffer.from(text, "base64")).update(prefix).update(body);
  return Buffer.from(`v1,${hmac.digest("base64")}`);
}

/** In time that depends on the lengths alone. */
function isSame(given: string, expected: Buffer): boolean {
  const bytes = Buffer.from(given);
  return bytes.length === expected.length && timingSafeEqual(bytes, expected);
}

function readEvent(text: string): WebhookEvent {
  try {
    return fromJsonString(WebhookEventSchema, text, { ignoreUnknownFields: true });
  } catch {
    throw new WebhookVerificationError("body_malformed");
  }
}
