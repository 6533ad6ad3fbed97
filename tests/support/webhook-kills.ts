import { randomBytes } from "node:crypto";
import { type Child, forkChild } from "../../bench/child-process.ts";
import type { TestDatabase } from "./database.ts";
import { until } from "./waiting.ts";
import type { WebhookOrder } from "./webhook-program.ts";
import { startReceiver } from "./webhook-receiver.ts";
import { openWebhookTrial } from "./webhook-trial.ts";

/** What has become of the events of a run. */
export interface KilledRun {
  /** Different events that the receiver has accepted. */
  readonly delivered: number;
  /** Deliveries that are not noted as delivered in the end. */
  readonly undelivered: number;
  /** Events that were accepted before an earlier one of their User. */
  readonly disorder: number;
  /** Requests that were accepted again, since the worker died before it could note it. */
  readonly repeats: number;
  readonly requests: number;
  readonly refusals: readonly string[];
}

const PROGRAM = new URL("./webhook-program.ts", import.meta.url);
const CHANGES_EACH = 4;
/** Failing half the time, a receiver fails one event no more often than this. */
const FAILURES_MAX = 6;

/**
 * Delivers so many events to a receiver that fails half the time, while the worker is killed again
 * and again amid its attempts, each time when it has delivered its share.
 */
export async function deliverUnderKills(
  { db, appUrl }: TestDatabase,
  options: { readonly events: number; readonly kills: number; readonly timeoutMs: number },
): Promise<KilledRun> {
  const { events, kills, timeoutMs } = options;
  const masterKey = randomBytes(32);
  const trial = await openWebhookTrial(db, masterKey);
  await using receiver = await startReceiver();
  const ref = await trial.open(receiver);
  const failures = new Map<string, number>();
  receiver.react(({ id }, response) => {
    const failed = failures.get(id) ?? 0;
    const fails = failed < FAILURES_MAX && Math.random() < 0.5;
    if (fails) failures.set(id, failed + 1);
    response.writeHead(fails ? 503 : 204).end();
  });
  const ids = await trial.fill(events / CHANGES_EACH);
  for (let n = 1; n < CHANGES_EACH; n += 1) {
    for (const id of ids) await trial.generator.update(id);
  }
  await trial.number();

  const order = {
    type: "work" as const,
    databaseUrl: appUrl,
    masterKey: masterKey.toString("base64"),
  };
  for (let n = 1; n <= kills + 1; n += 1) {
    await using worker: Child<WebhookOrder, "done"> = forkChild(PROGRAM);
    await worker.ask(order);
    const share = Math.floor((events * n) / (kills + 1));
    await until(() => new Set(receiver.accepted.map(({ id }) => id)).size >= share, timeoutMs);
    if (n <= kills) await worker.ask({ type: "die" }).catch(() => undefined);
    else await until(async () => (await trial.find(ref)).pendingCount === 0, timeoutMs);
  }
  const states = (await trial.deliveries(ref)).map(({ state }) => state);
  const { accepted, requests, refusals } = receiver;
  const delivered = new Set(accepted.map(({ id }) => id)).size;
  return {
    delivered,
    undelivered: states.filter((state) => state !== "delivered").length,
    disorder: countDisorder(accepted),
    repeats: accepted.length - delivered,
    requests: requests.length,
    refusals,
  };
}

function countDisorder(accepted: Awaited<ReturnType<typeof startReceiver>>["accepted"]): number {
  const versions = new Map<string, bigint>();
  let disorder = 0;
  for (const { event } of accepted) {
    const { id = "", version = 0n } = event.change?.user ?? {};
    const before = versions.get(id) ?? 0n;
    if (version < before) disorder += 1;
    else versions.set(id, version);
  }
  return disorder;
}
