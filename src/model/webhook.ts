import type { UserChangeKind } from "./change.ts";
import type { SiteId, UserId, WebhookId } from "./id.ts";

/** Whether a webhook is in use; `failed` and `gone` are Signet's own doing. */
export type WebhookState = "enabled" | "disabled" | "failed" | "gone";

/** Why an attempt has failed. */
export type WebhookProblem =
  | "name_not_found"
  | "address_refused"
  | "connection_failed"
  | "tls_failed"
  | "timed_out"
  | "status_refused"
  | "answer_invalid";

/** One request to a webhook's receiver. */
export interface WebhookAttempt {
  readonly sendTime: Date;
  readonly durationMs: number;
  /** 0: there was no answer. */
  readonly status: number;
  /** Absent: the receiver has accepted the event. */
  readonly problem: WebhookProblem | undefined;
}

/** What an administrator decides about a webhook. */
export interface WebhookSettings {
  readonly url: string;
  readonly label: string;
  /** Empty: all. */
  readonly kinds: readonly UserChangeKind[];
  /** The fields of User that are posted; empty: all. */
  readonly userFields: readonly string[];
}

/** When a secret began to sign, and when it ceases; absent: it is the present one. */
export interface WebhookSecretTimes {
  readonly createTime: Date;
  readonly expireTime: Date | undefined;
}

/** An address to which the Changes of a Site are posted. */
export interface Webhook extends WebhookSettings {
  readonly siteId: SiteId;
  readonly id: WebhookId;
  readonly version: number;
  readonly state: WebhookState;
  /** The newest first; some may have ceased to sign. */
  readonly secrets: readonly WebhookSecretTimes[];
  /** Up to here every Change that passes the filter was delivered or given up. */
  readonly position: number;
  readonly pendingCount: number;
  readonly lastAttempt: WebhookAttempt | undefined;
  /** Since when every attempt has failed. */
  readonly failTime: Date | undefined;
  readonly createTime: Date;
  readonly updateTime: Date;
}

/** How far a delivery has come. */
export type DeliveryState = "pending" | "delivered" | "dead";

/** Names an event of a Site: positions of different epochs do not compare. */
export interface DeliveryPlace {
  readonly epoch: number;
  readonly position: number;
}

/** One Change on its way to one webhook. */
export interface WebhookDelivery extends DeliveryPlace {
  readonly webhookId: WebhookId;
  readonly kind: UserChangeKind;
  readonly userId: UserId;
  readonly state: DeliveryState;
  readonly attemptCount: number;
  readonly lastAttempt: WebhookAttempt | undefined;
  readonly nextAttemptTime: Date | undefined;
  readonly createTime: Date;
}

/** How one webhook is doing. */
export interface WebhookFacts {
  readonly id: WebhookId;
  readonly state: WebhookState;
  readonly pending: number;
  readonly failing: number;
  /** Given up lately, and not delivered since. */
  readonly dead: number;
  /** Since when the oldest of those that wait has waited. */
  readonly waitingSince: Date | undefined;
}

/** How the webhooks of a Site are doing. */
export interface WebhookCounts {
  readonly count: number;
  readonly disabled: number;
  readonly pending: number;
  readonly failing: number;
  readonly dead: number;
  readonly lagMsMax: number;
}

const FIRST_DELAY_MS = 5_000;
const DELAY_MS_MAX = 12 * 60 * 60_000;
/** The delays before the attempts after the first add up to about 71 hours. */
const ATTEMPTS_MAX = 19;
const JITTER = 0.2;

/** When a delivery is tried again. */
export interface RetrySchedule {
  readonly firstDelayMs: number;
  readonly delayMsMax: number;
  readonly attemptsMax: number;
}

/** The delays double from 5 s up to 12 hours, for about 3 days. */
export const RETRY_SCHEDULE: RetrySchedule = {
  firstDelayMs: FIRST_DELAY_MS,
  delayMsMax: DELAY_MS_MAX,
  attemptsMax: ATTEMPTS_MAX,
};

/**
 * Returns how long to wait after so many failures, a fifth more or less by chance, so that what
 * has failed together is not tried together; undefined: it is given up.
 */
export function retryDelayMs(
  { firstDelayMs, delayMsMax, attemptsMax }: RetrySchedule,
  failures: number,
  random: number = Math.random(),
): number | undefined {
  if (failures >= attemptsMax) return undefined;
  const delayMs = Math.min(firstDelayMs * 2 ** (failures - 1), delayMsMax);
  return Math.round(delayMs * (1 - JITTER + 2 * JITTER * random));
}

const ID = /^evt_([0-9a-f]{32})_([1-9]\d{0,15})_([1-9]\d{0,15})$/;

/** Makes the id of an event, the same over all attempts, and of no other webhook. */
export function eventIdOf(webhookId: WebhookId, { epoch, position }: DeliveryPlace): string {
  return `evt_${webhookId.replaceAll("-", "")}_${epoch}_${position}`;
}

/** Reads the id of an event of a webhook; undefined: it is none. */
export function readEventId(webhookId: WebhookId, id: string): DeliveryPlace | undefined {
  const [, ofWebhook, epoch, position] = ID.exec(id) ?? [];
  if (ofWebhook !== webhookId.replaceAll("-", "")) return undefined;
  return { epoch: Number(epoch), position: Number(position) };
}
