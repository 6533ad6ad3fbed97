import { randomUUID } from "node:crypto";
import type { UserChange } from "../model/change.ts";
import { LIMITS } from "../model/limits.ts";
import {
  eventIdOf,
  RETRY_SCHEDULE,
  type RetrySchedule,
  retryDelayMs,
  type WebhookState,
} from "../model/webhook.ts";
import { findUserChanges } from "../store/changes.ts";
import type { Queryable } from "../store/sql.ts";
import {
  type Claim,
  type ClaimResult,
  claimDeliveries,
  findBacklog,
  listDueWebhooks,
  lockForWork,
  nextDueTime,
  noteReceiver,
  noteResults,
  queueDeliveries,
  releaseUsers,
  type WebhookRef,
  type WorkingWebhook,
} from "../store/webhook-work.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { type AttemptDeps, type AttemptOutcome, attemptDelivery } from "./webhook-attempts.ts";

/** What the work on deliveries is done with. */
export interface WebhookWorkDeps extends AttemptDeps, Pick<Deps, "db"> {
  /** By default {@link RETRY_SCHEDULE}. */
  readonly schedule?: RetrySchedule;
  /** When an attempt that is not heard of is taken for lost; by default after 25 s. */
  readonly leaseMs?: number;
}

/** An attempt that has been taken on, with all it needs. */
export interface TakenAttempt {
  readonly claim: Claim;
  readonly webhook: WorkingWebhook;
  /** Absent: it is no longer kept. */
  readonly change: UserChange | undefined;
}

/** An attempt that is over. */
export interface FinishedAttempt {
  readonly claim: Claim;
  /** Absent: none was made, since the Change is no longer kept. */
  readonly outcome: AttemptOutcome | undefined;
}

/** What one step has left to do. */
export interface WebhookStep {
  readonly taken: readonly TakenAttempt[];
  /** Whether there are Changes left to be queued. */
  readonly hasMore: boolean;
  /** How long until an attempt is due that is not under way here; undefined: none waits. */
  readonly dueMs: number | undefined;
  /** Present where the step has switched the webhook off. */
  readonly switchedOff: WebhookState | undefined;
}

/**
 * A receiver that has failed for so long is asked by one attempt at a time, and then left alone for
 * a quarter of that time, 5 minutes at most: many that are dead must not keep others waiting.
 */
const PROBING_MS = 60_000;
const PROBE_PAUSE_MS_MAX = 5 * 60_000;
/** With either status a receiver that names a time speaks for itself, and not for one event. */
const PAUSING_STATUSES = [429, 503];
const GONE_STATUS = 410;

/** Lists webhooks of any Sites for which there is something to do. */
export async function findDueWebhooks({ db, clock }: WebhookWorkDeps): Promise<WebhookRef[]> {
  return await listDueWebhooks({ query: db.acrossSites }, clock.now(), LIMITS.webhookDueMax);
}

/**
 * Takes one step with a webhook, in one short transaction under its lock: notes what came of
 * attempts, queues the Changes that are new in the log, and takes on the attempts that are due.
 * They are made after it, outside of any transaction.
 */
export async function stepWebhook(
  deps: WebhookWorkDeps,
  ref: WebhookRef,
  finished: readonly FinishedAttempt[],
  { takesOn = true }: { readonly takesOn?: boolean } = {},
): Promise<WebhookStep> {
  return await deps.db.inSite(ref.siteId, async (tx) => {
    const now = deps.clock.now();
    const before = await lockForWork(tx, ref, now);
    if (!before) return NOTHING_LEFT;
    const webhook = await noteFinished(tx, deps, ref, before, finished, now);
    if (webhook.state !== "enabled") {
      const switchedOff = webhook.state === before.state ? undefined : webhook.state;
      return { ...NOTHING_LEFT, switchedOff };
    }
    if (!takesOn) return NOTHING_LEFT;
    const hasMore = await queueNew(tx, ref, webhook, now);
    const taken = await takeOn(tx, deps, ref, webhook, now);
    const dueTime = await nextDueTime(tx, ref);
    const dueMs = dueTime && Math.max(dueTime.getTime(), webhook.resumeTime?.getTime() ?? 0);
    return {
      taken,
      hasMore,
      dueMs: dueMs && dueMs - now.getTime(),
      switchedOff: undefined,
    };
  });
}

const NOTHING_LEFT: WebhookStep = {
  taken: [],
  hasMore: false,
  dueMs: undefined,
  switchedOff: undefined,
};

/** Makes an attempt that was taken on. Never throws for what a receiver does. */
export async function makeAttempt(
  deps: WebhookWorkDeps,
  { siteId, id }: WebhookRef,
  { claim, webhook, change }: TakenAttempt,
): Promise<FinishedAttempt> {
  if (!change) return { claim, outcome: undefined };
  const { epoch, position, previousPosition } = claim;
  const { userFields } = webhook;
  const place = { epoch, position, previousPosition };
  const event = { ...place, webhookId: id, siteId, time: change.commitTime, userFields, change };
  const outcome = await attemptDelivery(deps, webhook, event, eventIdOf(id, claim));
  return { claim, outcome };
}

async function takeOn(
  tx: Queryable,
  { leaseMs = LIMITS.webhookLeaseMs }: WebhookWorkDeps,
  ref: WebhookRef,
  webhook: WorkingWebhook,
  now: Date,
): Promise<TakenAttempt[]> {
  if (webhook.resumeTime && webhook.resumeTime > now) return [];
  const lease = { id: randomUUID(), ms: leaseMs, underWayMax: underWayMax(webhook, now) };
  const claims = await claimDeliveries(tx, ref, lease, now);
  if (claims.length === 0) return [];
  const positions = claims.map(({ position }) => position);
  const changes = await findUserChanges(tx, ref.siteId, positions);
  const byPosition = new Map(changes.map((change) => [change.position, change]));
  return claims.map((claim) => ({ claim, webhook, change: byPosition.get(claim.position) }));
}

function underWayMax({ failTime }: WorkingWebhook, now: Date): number {
  const isProbing = failTime !== undefined && now.getTime() - failTime.getTime() > PROBING_MS;
  return isProbing ? 1 : LIMITS.webhookAttemptsMax;
}

/** How long nobody asks after a failure. */
function pauseAfter({ attempt, pauseMs = 0 }: AttemptOutcome, failTime: Date, now: Date): number {
  const failedMs = now.getTime() - failTime.getTime();
  const probeMs = failedMs > PROBING_MS ? Math.min(failedMs / 4, PROBE_PAUSE_MS_MAX) : 0;
  return Math.max(probeMs, PAUSING_STATUSES.includes(attempt.status) ? pauseMs : 0);
}

/** Returns whether there are Changes left after it. */
async function queueNew(
  tx: Queryable,
  ref: WebhookRef,
  { kinds, queuedPosition, lastPosition }: WorkingWebhook,
  now: Date,
): Promise<boolean> {
  const { epoch, head, start } = await findBacklog(tx, ref.siteId, queuedPosition);
  if (head <= queuedPosition) return false;
  // What is no longer kept shows as a gap before the next event, so that the receiver backfills.
  const isCut = start > queuedPosition;
  const upTo = Math.min(head, start + LIMITS.webhookQueuedRowsMax);
  const place = { after: start, upTo, lastPosition: isCut ? start : lastPosition };
  await queueDeliveries(tx, ref, { kinds, epoch, ...place }, now);
  return upTo < head;
}

async function noteFinished(
  tx: Queryable,
  { schedule = RETRY_SCHEDULE }: WebhookWorkDeps,
  ref: WebhookRef,
  before: WorkingWebhook,
  finished: readonly FinishedAttempt[],
  now: Date,
): Promise<WorkingWebhook> {
  if (finished.length === 0) return before;
  const results = finished.map((one) => resultOf(one, schedule, now));
  await noteResults(tx, ref, results, now);
  const over = results.filter(({ state }) => state !== "pending");
  await releaseUsers(tx, ref, [...new Set(over.map(({ claim }) => claim.userId))], now);
  const after = finished.reduce((webhook, one) => judgeReceiver(webhook, one, now), before);
  const lastAttempt = finished.findLast(({ outcome }) => outcome)?.outcome?.attempt;
  if (!lastAttempt) return before;
  const { state, failTime, resumeTime } = after;
  await noteReceiver(tx, ref, { state, failTime, resumeTime, lastAttempt });
  if (state !== before.state) {
    const details = { reason: state };
    const act = { kind: "webhook.switched_off", subjectId: ref.id, details };
    await recordAct(tx, ref.siteId, { kind: "system" }, act, now);
  }
  return after;
}

function resultOf(
  { claim, outcome }: FinishedAttempt,
  schedule: RetrySchedule,
  now: Date,
): ClaimResult {
  const attempt = outcome?.attempt;
  if (attempt && !attempt.problem) {
    return { claim, state: "delivered", attempt, nextAttemptTime: undefined };
  }
  const delayMs = attempt && retryDelayMs(schedule, claim.failures + 1);
  if (delayMs === undefined && attempt?.status !== GONE_STATUS) {
    return { claim, state: "dead", attempt, nextAttemptTime: undefined };
  }
  const waitMs = Math.max(delayMs ?? 0, outcome?.pauseMs ?? 0);
  return { claim, state: "pending", attempt, nextAttemptTime: new Date(now.getTime() + waitMs) };
}

/** Works out what an attempt says of its receiver. */
function judgeReceiver(
  webhook: WorkingWebhook,
  { outcome }: FinishedAttempt,
  now: Date,
): WorkingWebhook {
  if (!outcome) return webhook;
  const { attempt } = outcome;
  if (!attempt.problem) return { ...webhook, failTime: undefined };
  const failTime = webhook.failTime ?? attempt.sendTime;
  const pauseMs = pauseAfter(outcome, failTime, now);
  const resumeTime = pauseMs > 0 ? new Date(now.getTime() + pauseMs) : webhook.resumeTime;
  const state = stateAfter(webhook, attempt.status, failTime, now);
  return { ...webhook, failTime, resumeTime, state };
}

function stateAfter(
  { state }: WorkingWebhook,
  status: number,
  failTime: Date,
  now: Date,
): WebhookState {
  if (state !== "enabled") return state;
  if (status === GONE_STATUS) return "gone";
  return now.getTime() - failTime.getTime() > LIMITS.webhookFailMsMax ? "failed" : state;
}
