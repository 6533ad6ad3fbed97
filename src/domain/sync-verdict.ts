import type { SiteHead } from "../model/change.ts";
import { driftOf, lagAtReport, lagOf, type Mirror } from "../model/mirror.ts";
import {
  type HealthVerdict,
  type MirrorCounts,
  REPORT_INTERVAL_SECONDS,
  SYNC_THRESHOLDS,
  type SyncProblem,
  type SyncProblemKind,
} from "../model/sync-health.ts";
import type { WebhookCounts, WebhookFacts } from "../model/webhook.ts";
import { countWebhooks, webhookProblems } from "./webhook-verdict.ts";

/** What the sync of a Site is judged by. */
export interface SyncFacts {
  readonly head: SiteHead;
  readonly mirrors: readonly Mirror[];
  readonly webhooks: readonly WebhookFacts[];
  readonly sequencingDelayMs: number;
}

/** What was found. */
export interface SyncJudgement {
  readonly verdict: HealthVerdict;
  /** The gravest first; at most 100. */
  readonly problems: readonly SyncProblem[];
  readonly mirrors: MirrorCounts;
  readonly webhooks: WebhookCounts;
}

const PROBLEMS_MAX = 100;

/** A Mirror may wait half an interval for the sums of a Checkpoint before it reports. */
const REPORT_OVERDUE_SECONDS = 2 * REPORT_INTERVAL_SECONDS;

/** What has been late for so long needs a person. */
const STUCK_LAG_MS = 3_600_000;
const STUCK_SEQUENCING_MS = 60_000;

/** How long a refused write is told; a warning that never ends is not read. */
const FOREIGN_WRITE_MS = 7 * 86_400_000;

/** Problems of equal verdict in the order in which they should be looked at. */
const GRAVITY: readonly SyncProblemKind[] = [
  "mirror_diverged",
  "mirror_expired",
  "mirror_silent",
  "webhook_disabled",
  "webhook_dead_deliveries",
  "sequencing_delayed",
  "mirror_lagging",
  "webhook_lagging",
  "mirror_foreign_writes",
  "reconcile_overdue",
];

/** Judges whether everything that follows a Site is in step. The gravest problem decides. */
export function judgeSync(facts: SyncFacts, now: Date): SyncJudgement {
  const found = [
    ...sequencingProblem(facts.sequencingDelayMs),
    ...facts.mirrors.flatMap((mirror) => mirrorProblems(mirror, facts.head, now)),
    ...facts.webhooks.flatMap((webhook) => webhookProblems(webhook, now)),
  ].sort(byGravity);
  return {
    verdict: found[0]?.verdict ?? "healthy",
    problems: found.slice(0, PROBLEMS_MAX),
    mirrors: countMirrors(facts.mirrors, found, now),
    webhooks: countWebhooks(facts.webhooks, now),
  };
}

function sequencingProblem(value: number): SyncProblem[] {
  const threshold = SYNC_THRESHOLDS.sequencingDelayMs;
  if (value <= threshold) return [];
  const verdict = value > STUCK_SEQUENCING_MS ? "unhealthy" : "degraded";
  return [{ kind: "sequencing_delayed", verdict, subjectId: undefined, value, threshold }];
}

/** A problem of one Mirror, without its id. */
type Finding = Omit<SyncProblem, "subjectId">;

function mirrorProblems(mirror: Mirror, head: SiteHead, now: Date): SyncProblem[] {
  const findings = [
    divergence(mirror),
    expiry(mirror, head),
    silence(mirror, now),
    lag(mirror, now),
    foreignWrites(mirror, now),
    overdueReconcile(mirror, now),
  ];
  return findings.flatMap((finding) => (finding ? [{ ...finding, subjectId: mirror.id }] : []));
}

/** Rows that were altered and not put right show in no sums: only a comparison has seen them. */
function divergence(mirror: Mirror): Finding | undefined {
  const { state, sums, checkpointSums, lastReconcile } = mirror;
  const differ =
    sums && checkpointSums
      ? sums.users !== checkpointSums.users || sums.xor !== checkpointSums.xor
      : false;
  if (state !== "diverged" && !differ && !hasAlteredRows(lastReconcile)) return undefined;
  return { kind: "mirror_diverged", verdict: "unhealthy", value: driftOf(mirror), threshold: 0 };
}

function hasAlteredRows(reconcile: Mirror["lastReconcile"]): boolean {
  if (!reconcile || reconcile.alteredCount === 0) return false;
  const { missingCount, staleCount, extraCount, alteredCount, repairedCount } = reconcile;
  return missingCount + staleCount + extraCount + alteredCount > repairedCount;
}

/** One that is being filled or put right is on its way already. */
function expiry(mirror: Mirror, head: SiteHead): Finding | undefined {
  const { state, epoch, position } = mirror;
  if (state === "snapshot" || state === "repairing") return undefined;
  const isKept = epoch === head.epoch && position + 1 >= head.oldestPosition;
  if (isKept) return undefined;
  return { kind: "mirror_expired", verdict: "unhealthy", value: position, threshold: 0 };
}

function silence({ reportTime }: Mirror, now: Date): Finding | undefined {
  const value = secondsSince(reportTime, now);
  const threshold = SYNC_THRESHOLDS.mirrorSilenceSeconds;
  if (value <= threshold) return undefined;
  return { kind: "mirror_silent", verdict: "unhealthy", value, threshold };
}

/**
 * Until its next report is overdue, a Mirror is judged by how far behind it was at the last one:
 * a busy Site makes more Changes between two reports than a Mirror may lag.
 */
function lag(mirror: Mirror, now: Date): Finding | undefined {
  const isOverdue = secondsSince(mirror.reportTime, now) > REPORT_OVERDUE_SECONDS;
  const { changes, ms } = isOverdue ? lagOf(mirror, now) : lagAtReport(mirror);
  const { mirrorLagChanges, mirrorLagMs } = SYNC_THRESHOLDS;
  const isStuck = ms > STUCK_LAG_MS && mirror.state !== "snapshot";
  const verdict = isStuck ? "unhealthy" : "degraded";
  if (ms > mirrorLagMs) {
    return { kind: "mirror_lagging", verdict, value: ms, threshold: mirrorLagMs };
  }
  if (changes > mirrorLagChanges) {
    return { kind: "mirror_lagging", verdict, value: changes, threshold: mirrorLagChanges };
  }
  return undefined;
}

function foreignWrites(mirror: Mirror, now: Date): Finding | undefined {
  const { foreignWrites: value, foreignWriteTime } = mirror;
  const isNews = foreignWriteTime && now.getTime() - foreignWriteTime.getTime() <= FOREIGN_WRITE_MS;
  if (!isNews) return undefined;
  return { kind: "mirror_foreign_writes", verdict: "unhealthy", value, threshold: 0 };
}

/** A Mirror that was never compared is due from its registration on. */
function overdueReconcile(mirror: Mirror, now: Date): Finding | undefined {
  const value = secondsSince(mirror.lastReconcile?.finishTime ?? mirror.createTime, now);
  const threshold = SYNC_THRESHOLDS.reconcileAgeSeconds;
  if (value <= threshold) return undefined;
  return { kind: "reconcile_overdue", verdict: "degraded", value, threshold };
}

function countMirrors(
  mirrors: readonly Mirror[],
  problems: readonly SyncProblem[],
  now: Date,
): MirrorCounts {
  const countOf = (wanted: SyncProblemKind) =>
    problems.filter(({ kind }) => kind === wanted).length;
  const lags = mirrors.map((mirror) => lagOf(mirror, now));
  return {
    count: mirrors.length,
    lagging: countOf("mirror_lagging"),
    silent: countOf("mirror_silent"),
    diverged: countOf("mirror_diverged"),
    lagChangesMax: Math.max(0, ...lags.map(({ changes }) => changes)),
    lagMsMax: Math.max(0, ...lags.map(({ ms }) => ms)),
  };
}

function byGravity(one: SyncProblem, other: SyncProblem): number {
  if (one.verdict !== other.verdict) return one.verdict === "unhealthy" ? -1 : 1;
  return GRAVITY.indexOf(one.kind) - GRAVITY.indexOf(other.kind);
}

function secondsSince(time: Date, now: Date): number {
  return Math.floor((now.getTime() - time.getTime()) / 1_000);
}
