import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  SyncProblemKind as KindMessage,
  HealthVerdict as VerdictMessage,
} from "../../gen/signet/v1/change_pb.ts";
import {
  type HealthVerdict,
  SYNC_THRESHOLDS,
  type SyncHealth,
  type SyncProblem,
  type SyncProblemKind,
} from "../model/sync-health.ts";
import { toSumsMessage } from "./convert-mirror.ts";

const VERDICT: Readonly<Record<HealthVerdict, VerdictMessage>> = {
  healthy: VerdictMessage.HEALTHY,
  degraded: VerdictMessage.DEGRADED,
  unhealthy: VerdictMessage.UNHEALTHY,
};

const KIND: Readonly<Record<SyncProblemKind, KindMessage>> = {
  sequencing_delayed: KindMessage.SEQUENCING_DELAYED,
  mirror_lagging: KindMessage.MIRROR_LAGGING,
  mirror_silent: KindMessage.MIRROR_SILENT,
  mirror_diverged: KindMessage.MIRROR_DIVERGED,
  mirror_expired: KindMessage.MIRROR_EXPIRED,
  mirror_foreign_writes: KindMessage.MIRROR_FOREIGN_WRITES,
  reconcile_overdue: KindMessage.RECONCILE_OVERDUE,
  webhook_lagging: KindMessage.WEBHOOK_LAGGING,
  webhook_dead_deliveries: KindMessage.WEBHOOK_DEAD_DELIVERIES,
  webhook_disabled: KindMessage.WEBHOOK_DISABLED,
};

/** Translates the health of a Site's sync. */
export function toSyncHealthMessage({ head, users, mirrors, webhooks, ...health }: SyncHealth) {
  return {
    verdict: VERDICT[health.verdict],
    problems: health.problems.map(toProblemMessage),
    asOf: timestampFromDate(health.asOf),
    epoch: head.epoch,
    head: BigInt(head.position),
    oldestPosition: BigInt(head.oldestPosition),
    sums: toSumsMessage(head.sums),
    users: {
      activeCount: BigInt(users.active),
      invitedCount: BigInt(users.invited),
      disabledCount: BigInt(users.disabled),
      deletedCount: BigInt(users.deleted),
    },
    sequencingDelayMs: BigInt(health.sequencingDelayMs),
    mirrors: {
      count: BigInt(mirrors.count),
      laggingCount: BigInt(mirrors.lagging),
      silentCount: BigInt(mirrors.silent),
      divergedCount: BigInt(mirrors.diverged),
      lagChangesMax: BigInt(mirrors.lagChangesMax),
      lagMsMax: BigInt(mirrors.lagMsMax),
    },
    webhooks: {
      count: BigInt(webhooks.count),
      disabledCount: BigInt(webhooks.disabled),
      pendingCount: BigInt(webhooks.pending),
      failingCount: BigInt(webhooks.failing),
      deadCount: BigInt(webhooks.dead),
      lagMsMax: BigInt(webhooks.lagMsMax),
    },
    thresholds: THRESHOLDS,
  };
}

const THRESHOLDS = {
  mirrorLagChanges: BigInt(SYNC_THRESHOLDS.mirrorLagChanges),
  mirrorLagMs: BigInt(SYNC_THRESHOLDS.mirrorLagMs),
  mirrorSilenceSeconds: SYNC_THRESHOLDS.mirrorSilenceSeconds,
  reconcileAgeSeconds: SYNC_THRESHOLDS.reconcileAgeSeconds,
  webhookLagMs: BigInt(SYNC_THRESHOLDS.webhookLagMs),
  sequencingDelayMs: BigInt(SYNC_THRESHOLDS.sequencingDelayMs),
};

function toProblemMessage({ kind, verdict, subjectId, value, threshold }: SyncProblem) {
  return {
    kind: KIND[kind],
    verdict: VERDICT[verdict],
    subjectId: subjectId ?? "",
    value: BigInt(value),
    threshold: BigInt(threshold),
  };
}
