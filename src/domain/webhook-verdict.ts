import { SYNC_THRESHOLDS, type SyncProblem } from "../model/sync-health.ts";
import type { WebhookCounts, WebhookFacts } from "../model/webhook.ts";

/** What has been late for so long needs a person. */
const STUCK_LAG_MS = 3_600_000;

/** Judges how a webhook is doing. One that an administrator has switched off is no problem. */
export function webhookProblems(webhook: WebhookFacts, now: Date): SyncProblem[] {
  const { id: subjectId, state, dead } = webhook;
  const problems: SyncProblem[] = [];
  if (state === "failed" || state === "gone") {
    const kind = "webhook_disabled";
    problems.push({ kind, verdict: "unhealthy", subjectId, value: 0, threshold: 0 });
  }
  if (dead > 0) {
    const kind = "webhook_dead_deliveries";
    problems.push({ kind, verdict: "unhealthy", subjectId, value: dead, threshold: 0 });
  }
  const value = lagMs(webhook, now);
  const threshold = SYNC_THRESHOLDS.webhookLagMs;
  if (state === "enabled" && value > threshold) {
    const verdict = value > STUCK_LAG_MS ? "unhealthy" : "degraded";
    problems.push({ kind: "webhook_lagging", verdict, subjectId, value, threshold });
  }
  return problems;
}

/** Sums up how the webhooks of a Site are doing. */
export function countWebhooks(webhooks: readonly WebhookFacts[], now: Date): WebhookCounts {
  const sum = (of: (webhook: WebhookFacts) => number) =>
    webhooks.reduce((total, webhook) => total + of(webhook), 0);
  return {
    count: webhooks.length,
    disabled: sum(({ state }) => (state === "failed" || state === "gone" ? 1 : 0)),
    pending: sum(({ pending }) => pending),
    failing: sum(({ failing }) => failing),
    dead: sum(({ dead }) => dead),
    lagMsMax: Math.max(0, ...webhooks.map((webhook) => lagMs(webhook, now))),
  };
}

function lagMs({ waitingSince }: WebhookFacts, now: Date): number {
  return waitingSince ? Math.max(0, now.getTime() - waitingSince.getTime()) : 0;
}
