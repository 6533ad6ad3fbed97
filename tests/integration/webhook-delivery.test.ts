import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { stepWebhook } from "../../src/domain/webhook-work.ts";
import { deleteWebhook } from "../../src/domain/webhooks.ts";
import { openTestDatabase, runAsAdmin } from "../support/database.ts";
import { until } from "../support/waiting.ts";
import { startReceiver } from "../support/webhook-receiver.ts";
import { OPERATOR, openWebhookTrial, type WebhookTrial } from "../support/webhook-trial.ts";

const database = await openTestDatabase();
afterAll(() => database[Symbol.asyncDispose]());
const { db, adminUrl } = database;

let trial: WebhookTrial;
beforeEach(async () => {
  trial = await openWebhookTrial(db);
});

describe("a webhook", () => {
  test("is posted every Change from its creation on, signed, with a gapless chain", async () => {
    await using receiver = await startReceiver();
    await trial.fill(3);
    const ref = await trial.open(receiver);
    await using _worker = trial.startWorker();

    const [user = ""] = await trial.fill(40);
    await trial.generator.update(user as never);
    await trial.number();
    await until(() => receiver.accepted.length === 41);

    const events = receiver.accepted.map(({ event }) => event).sort(byPosition);
    expect(events.map(({ position }) => Number(position))).toEqual(range(4, 44));
    expect(events.map(({ previousPosition }) => Number(previousPosition))).toEqual(range(3, 43));
    expect(events[0]).toMatchObject({ type: "user.created", webhookId: ref.id, epoch: 1 });
    expect(events[40]).toMatchObject({ type: "user.updated", change: { user: { id: user } } });
    expect(new Set(receiver.requests.map(({ id }) => id)).size).toBe(41);
    expect(receiver.refusals).toEqual([]);
    expect(receiver.openMax()).toBeLessThanOrEqual(8);
    const done = await until(async () => {
      const webhook = await trial.find(ref);
      return webhook.position === 44 ? webhook : undefined;
    });
    expect(done).toMatchObject({ pendingCount: 0, failTime: undefined });
    expect(done.lastAttempt).toMatchObject({ status: 204, problem: undefined });
  });
});

describe("several workers", () => {
  test("share the work of one webhook, and do none of it twice", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    await using _one = trial.startWorker();
    await using _two = trial.startWorker();
    await using _three = trial.startWorker();

    for (const _ of [1, 2, 3]) await trial.fill(100);
    await until(() => receiver.accepted.length >= 300);
    await until(async () => (await trial.find(ref)).pendingCount === 0);

    expect(receiver.requests).toHaveLength(300);
    expect(receiver.openMax()).toBeLessThanOrEqual(8);
  });

  test("take an attempt for lost by the database's clock, not by that of their own", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    await trial.fill(1);

    const first = await stepWebhook(trial.deps, ref, []);
    trial.shiftClock(60_000);
    const meanwhile = await stepWebhook(trial.deps, ref, []);
    await runAsAdmin(
      adminUrl,
      `update signet.webhook_deliveries set next_attempt_time = now()
        where webhook_id = '${ref.id}'`,
    );
    const afterwards = await stepWebhook(trial.deps, ref, []);

    const taken = [first, meanwhile, afterwards].map((step) => step.taken.length);
    expect(taken).toEqual([1, 0, 1]);
  });

  test("leave a webhook alone that was deleted", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    receiver.react((_, response) => response.writeHead(500).end());
    await trial.fill(50);
    await using _worker = trial.startWorker();
    await until(() => receiver.requests.length > 0);

    await deleteWebhook(trial.deps, OPERATOR, ref);

    await expect(trial.deliveries(ref)).rejects.toMatchObject({ reason: "webhook_not_found" });
    const [left] = await runAsAdmin<{ count: string }>(
      adminUrl,
      `select count(*) from signet.webhook_deliveries where webhook_id = '${ref.id}'`,
    );
    expect(left?.count).toBe("0");
  });
});

function byPosition(one: { readonly position: bigint }, other: { readonly position: bigint }) {
  return Number(one.position - other.position);
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, n) => first + n);
}
