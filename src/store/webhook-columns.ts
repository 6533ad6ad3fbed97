import type { WebhookAttempt, WebhookProblem } from "../model/webhook.ts";

/** How an attempt stands in the rows of webhooks and of deliveries. */
export interface AttemptColumns {
  readonly attempt_time: Date | null;
  readonly attempt_ms: number | null;
  readonly attempt_status: number | null;
  readonly attempt_problem: WebhookProblem | "" | null;
}

/** Reads an attempt; undefined: there was none. */
export function toAttempt(row: AttemptColumns): WebhookAttempt | undefined {
  if (!row.attempt_time) return undefined;
  return {
    sendTime: row.attempt_time,
    durationMs: row.attempt_ms ?? 0,
    status: row.attempt_status ?? 0,
    problem: row.attempt_problem || undefined,
  };
}
