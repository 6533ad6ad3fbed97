import type { Logger } from "pino";
import {
  type FinishedAttempt,
  makeAttempt,
  stepWebhook,
  type TakenAttempt,
  type WebhookStep,
  type WebhookWorkDeps,
} from "../domain/webhook-work.ts";
import { traced } from "../model/tracing.ts";
import type { WebhookRef } from "../store/webhook-work.ts";
import type { Bell } from "./bell.ts";
import type { WorkCounts } from "./work-counts.ts";

/** What the deliveries of one webhook run with. */
export interface WebhookRunOptions {
  readonly deps: WebhookWorkDeps;
  readonly ref: WebhookRef;
  readonly counts: Pick<WorkCounts, "webhookAttempts">;
  /** Rung when there may be something new to do. */
  readonly bell: Bell;
  /** Lets few transactions run at once. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  readonly log: Logger;
  /** Once aborted, attempts under way are noted and none is begun. */
  readonly signal: AbortSignal;
}

const DELIVERY = {
  name: "process webhook",
  kind: "consumer",
  attributes: {
    "messaging.system": "signet",
    "messaging.operation.type": "process",
    "messaging.destination.name": "webhook",
  },
} as const;

/** Who has nothing to do for longer is found again when there is. */
const IDLE_MS = 1_000;
const OUTAGE_MS = 500;
/** What takes longer when the process stops is made again by another. */
const STOP_MS_MAX = 5_000;

/** Attempts that are due but may not be made yet wait for one that is under way. */
function waitMs({ dueMs }: WebhookStep): number {
  return dueMs === undefined || dueMs <= 0 ? IDLE_MS : Math.min(dueMs, IDLE_MS);
}

/** Delivers what one webhook is owed, until nothing is due or the process stops. */
export async function runWebhook(options: WebhookRunOptions): Promise<void> {
  const { deps, ref, counts, bell, log, signal } = options;
  const fields = { siteId: ref.siteId, webhookId: ref.id };
  let finished: FinishedAttempt[] = [];
  let underWay = 0;

  async function make(taken: TakenAttempt): Promise<void> {
    underWay += 1;
    try {
      const result = await traced(DELIVERY, () => makeAttempt(deps, ref, taken));
      const { outcome } = result;
      if (outcome) counts.webhookAttempts.add(outcome.attempt.problem ? "failed" : "accepted");
      finished.push(result); // Not in one expression: another list may have taken its place.
    } catch (error) {
      log.error({ err: error, ...fields }, "webhook not posted"); // It is taken for lost.
    }
    underWay -= 1;
    bell.ring();
  }

  async function step(): Promise<WebhookStep | undefined> {
    const noted = finished;
    finished = [];
    const takesOn = !signal.aborted;
    try {
      return await options.inTurn(() => stepWebhook(deps, ref, noted, { takesOn }));
    } catch (error) {
      finished = [...noted, ...finished];
      log.warn({ err: error, ...fields }, "webhook deliveries wait");
      return undefined;
    }
  }

  let endMs = Number.POSITIVE_INFINITY;
  for (;;) {
    if (signal.aborted) endMs = Math.min(endMs, performance.now() + STOP_MS_MAX);
    const done = await step();
    if (done?.switchedOff) log.warn({ ...fields, state: done.switchedOff }, "webhook switched off");
    for (const taken of done?.taken ?? []) void make(taken);
    const isIdle = done && !done.hasMore && underWay === 0 && finished.length === 0;
    const isSoon = done?.dueMs !== undefined && done.dueMs < IDLE_MS && !signal.aborted;
    if ((isIdle && !isSoon) || performance.now() >= endMs) return;
    if (done?.hasMore) continue;
    await bell.wait(done ? waitMs(done) : OUTAGE_MS);
  }
}
