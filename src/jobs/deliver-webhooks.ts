import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { createTurns } from "../domain/turns.ts";
import { findDueWebhooks, type WebhookWorkDeps } from "../domain/webhook-work.ts";
import { LIMITS } from "../model/limits.ts";
import { type Bell, createBell } from "./bell.ts";
import { runWebhook } from "./webhook-run.ts";
import { createWorkCounts, type WorkCounts } from "./work-counts.ts";

/** The deliveries of this process. */
export interface WebhookWorker {
  /** Has it look for work soon; many calls are as good as one. */
  wake(): void;
  /** Notes the attempts under way, for some seconds at most, and begins none. */
  stop(): Promise<void>;
}

/** Polling is the truth: retries are due without anybody's word. */
const POLL_MS = 1_000;
/** However busy the log is, work is looked for no more often. */
const LOOK_MS_MIN = 100;

/**
 * Starts to deliver what webhooks are owed. Any number of processes may: the rows of deliveries
 * say who makes which attempt, and an attempt whose process has died is made again by another.
 */
export function startWebhookWorker(
  deps: WebhookWorkDeps,
  log: Logger,
  counts: Pick<WorkCounts, "webhookAttempts"> = createWorkCounts(),
): WebhookWorker {
  const stopping = new AbortController();
  const { signal } = stopping;
  const bell = createBell();
  const turns = createTurns(LIMITS.webhookTransactionsMax);
  const runs = new Map<string, { readonly bell: Bell; readonly done: Promise<void> }>();
  let isAway = false;

  /** Begins with those for which there is something to do, and wakes those that run already. */
  async function look(): Promise<void> {
    for (const ref of await turns.run(() => findDueWebhooks(deps))) {
      const name = `${ref.siteId}/${ref.id}`;
      const known = runs.get(name);
      if (known) {
        known.bell.ring();
      } else if (runs.size < LIMITS.webhookRunsMax && !signal.aborted) {
        const own = createBell();
        const options = { deps, ref, counts, bell: own, inTurn: turns.run, log, signal };
        const done = runWebhook(options).finally(() => runs.delete(name));
        runs.set(name, { bell: own, done });
      }
    }
    isAway = false;
  }

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      await look().catch((error: unknown) => {
        if (!isAway) log.warn({ err: error }, "webhooks wait: the database is away");
        isAway = true;
      });
      await sleep(LOOK_MS_MIN);
      await bell.wait(POLL_MS);
    }
  }

  const following = follow();
  return {
    wake: bell.ring,
    async stop() {
      stopping.abort();
      bell.ring();
      for (const run of runs.values()) run.bell.ring();
      await following;
      await Promise.all([...runs.values()].map(({ done }) => done));
    },
  };
}
