import type { SiteHead } from "./change.ts";
import type { MirrorId, WebhookId } from "./id.ts";
import type { WebhookCounts } from "./webhook.ts";

/** How bad it is; what is degraded is late, and will be in step by itself. */
export type HealthVerdict = "healthy" | "degraded" | "unhealthy";

/** What may be out of step. */
export type SyncProblemKind =
  | "sequencing_delayed"
  | "mirror_lagging"
  | "mirror_silent"
  | "mirror_diverged"
  | "mirror_expired"
  | "mirror_foreign_writes"
  | "reconcile_overdue"
  | "webhook_lagging"
  | "webhook_dead_deliveries"
  | "webhook_disabled";

/** One thing that is not in step. */
export interface SyncProblem {
  readonly kind: SyncProblemKind;
  /** The verdict if this were all. */
  readonly verdict: Exclude<HealthVerdict, "healthy">;
  /** Absent: the Site itself. */
  readonly subjectId: MirrorId | WebhookId | undefined;
  /** What was measured, in the unit of the threshold. */
  readonly value: number;
  /** 0 where there is none. */
  readonly threshold: number;
}

/** How many Users a Site has. */
export interface UserCounts {
  readonly active: number;
  readonly invited: number;
  readonly disabled: number;
  readonly deleted: number;
}

/** How the Mirrors of a Site are doing. */
export interface MirrorCounts {
  readonly count: number;
  readonly lagging: number;
  readonly silent: number;
  readonly diverged: number;
  readonly lagChangesMax: number;
  readonly lagMsMax: number;
}

/** Whether everything that follows a Site is in step. */
export interface SyncHealth {
  readonly verdict: HealthVerdict;
  /** The gravest first; at most 100. */
  readonly problems: readonly SyncProblem[];
  readonly asOf: Date;
  readonly head: SiteHead;
  readonly users: UserCounts;
  readonly sequencingDelayMs: number;
  readonly mirrors: MirrorCounts;
  readonly webhooks: WebhookCounts;
}

/** When a Mirror is to report next. */
export const REPORT_INTERVAL_SECONDS = 30;

/** From where on something is a problem. There is none for drift: any is. */
export const SYNC_THRESHOLDS = {
  mirrorLagChanges: 1_000,
  mirrorLagMs: 60_000,
  mirrorSilenceSeconds: 3 * REPORT_INTERVAL_SECONDS,
  reconcileAgeSeconds: 8 * 86_400, // A week, for the weekly comparison, and a day to do it.
  webhookLagMs: 5 * 60_000,
  sequencingDelayMs: 5_000,
} as const;
