import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { redeliver } from "../../src/domain/webhook-deliveries.ts";
import { updateWebhook } from "../../src/domain/webhook-update.ts";
import type { UserId } from "../../src/model/id.ts";
import { eventIdOf } from "../../src/model/webhook.ts";
import type { WebhookRef } from "../../src/store/webhook-work.ts";
import { openTestDatabase, runAsAdmin } from "../support/database.ts";
import { until } from "../support/waiting.ts";
import { startReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";
import { OPERATOR, openWebhookTrial, QUICK, type WebhookTrial } from "../support/webhook-trial.ts";

const database = await openTestDatabase();
afterAll(() => database[Symbol.asyncDispose]());
const { db, adminUrl } = database;

const DAY = 24 * 60 * 60_000;
const NO_CHANGE = {
  expectedVersion: undefined,
  settings: {},
  enabled: undefined,
  skipBacklog: false,
} as const;

let trial: WebhookTrial;
beforeEach(async () => {
  trial = await openWebhookTrial(db);
});

describe("a receiver that fails", () => {
  test("for one User holds back that User's later Changes and nobody else's", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    const ids = await trial.fill(12);
    const [held] = ids as [UserId];
    for (const id of ids) await trial.generator.update(id);
    await trial.number();
    let fails = true;
    receiver.react(({ event }, response) => {
      const isHeld = event.change?.user?.id === held;
      response.writeHead(isHeld && fails ? 500 : 204).end();
    });

    await using _worker = trial.startWorker({ schedule: { ...QUICK.schedule, attemptsMax: 500 } });
    await until(() => receiver.accepted.length === 22);
    const requestedWhileHeld = receiver.requests.filter(({ event }) => userOf(event) === held);
    fails = false;
    await until(() => receiver.accepted.length === 24);

    expect(new Set(requestedWhileHeld.map(({ id }) => id))).toEqual(
      new Set([eventIdOf(ref.id, { epoch: 1, position: 1 })]),
    );
    expectOrder(receiver);
    await until(async () => (await trial.find(ref)).position === 24);
  });

  test("half the time gets everything, in order, with no delivery given up", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    const attempts = new Map<string, number>();
    receiver.react(({ id }, response) => {
      const attempt = (attempts.get(id) ?? 0) + 1;
      attempts.set(id, attempt);
      const fails = attempt <= 6 && Math.random() < 0.5;
      response.writeHead(fails ? 503 : 204).end();
    });
    const ids = await trial.fill(100);
    for (const id of ids.slice(0, 50)) await trial.generator.update(id);
    await trial.number();

    await using _worker = trial.startWorker();
    await until(() => receiver.accepted.length >= 150);
    const deliveries = await until(async () => {
      const all = await trial.deliveries(ref);
      return all.every(({ state }) => state === "delivered") ? all : undefined;
    });

    expectOrder(receiver);
    expect(new Set(receiver.accepted.map(({ id }) => id)).size).toBe(150);
    for (const { attemptCount, position } of deliveries) {
      expect(attemptCount).toBe(attempts.get(eventIdOf(ref.id, { epoch: 1, position })));
    }
  });

  test("to the end makes dead letters, which can be delivered again", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    const [id] = (await trial.fill(1)) as [UserId];
    await trial.generator.update(id);
    await trial.fill(1);
    receiver.react((_, response) => response.writeHead(500).end());
    const schedule = { firstDelayMs: 1, delayMsMax: 5, attemptsMax: 3 };
    await using _worker = trial.startWorker({ schedule });
    const dead = await statesOf(ref, "dead", "dead", "dead");
    receiver.react(undefined);

    const [first, second] = dead.map(({ position }) => eventIdOf(ref.id, { epoch: 1, position }));
    const one = await redeliver(trial.deps, OPERATOR, ref, { id: second ?? "" });
    await statesOf(ref, "dead", "delivered", "dead");
    const range = { first: 1, last: undefined, undeliveredOnly: true };
    const rest = await redeliver(trial.deps, OPERATOR, ref, range);
    const after = await statesOf(ref, "delivered", "delivered", "delivered");
    const all = await redeliver(trial.deps, OPERATOR, ref, { ...range, undeliveredOnly: false });
    await until(() => receiver.accepted.length === 6);

    expect(dead.map(({ attemptCount }) => attemptCount)).toEqual([3, 3, 3]);
    expect(dead[0]?.lastAttempt).toMatchObject({ status: 500, problem: "status_refused" });
    expect([one, rest, all]).toEqual([1, 2, 3]);
    expect(after.map(({ attemptCount }) => attemptCount)).toEqual([4, 4, 4]);
    expect(receiver.accepted.map((received) => received.id)).toContain(first);
    await expect(redeliver(trial.deps, OPERATOR, ref, { id: `${first}0` })).rejects.toMatchObject({
      reason: "delivery_not_found",
    });
  });

  test("with 410 is switched off at once, and goes on where it stopped", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    await trial.fill(30);
    receiver.react((_, response) => response.writeHead(410).end());
    await using _worker = trial.startWorker();
    const gone = await until(async () => {
      const webhook = await trial.find(ref);
      return webhook.state === "gone" ? webhook : undefined;
    });
    const attempts = receiver.requests.length;

    await trial.fill(1);
    receiver.react(undefined);
    const enabled = await updateWebhook(trial.deps, OPERATOR, ref, { ...NO_CHANGE, enabled: true });
    await until(() => receiver.accepted.length === 31);

    expect(attempts).toBeLessThanOrEqual(8);
    expect(gone).toMatchObject({ pendingCount: 30, lastAttempt: { status: 410 } });
    expect(enabled).toMatchObject({ state: "enabled", failTime: undefined });
    expect(await acts(ref)).toEqual(["webhook.created", "webhook.switched_off", "webhook.updated"]);
  });

  test("for days is switched off, without a delivery given up", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    receiver.react((_, response) => response.writeHead(500).end());
    await trial.fill(1);
    await using worker = trial.startWorker({});
    await until(async () => (await trial.find(ref)).failTime);

    trial.shiftClock(2.9 * DAY);
    worker.wake();
    await until(() => receiver.requests.length === 2);
    const before = await until(async () => {
      const [delivery] = await trial.deliveries(ref);
      return delivery?.attemptCount === 2 ? await trial.find(ref) : undefined;
    });
    trial.shiftClock(3.9 * DAY);
    worker.wake();
    const after = await until(async () => {
      const webhook = await trial.find(ref);
      return webhook.state === "enabled" ? undefined : webhook;
    });

    expect(before.state).toBe("enabled");
    expect(after).toMatchObject({ state: "failed", pendingCount: 1 });
  });

  test("and asks for a pause gets it, for all Users", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    receiver.react((_, response) => response.writeHead(429, { "retry-after": "3600" }).end());
    await trial.fill(1);
    await using worker = trial.startWorker();
    await until(async () => (await trial.find(ref)).failTime);
    const begun = receiver.requests.length;

    await trial.fill(20);
    worker.wake();
    await until(async () => (await trial.find(ref)).pendingCount === 21);
    receiver.react(undefined);
    const duringPause = receiver.requests.length;
    trial.shiftClock(3_601_000);
    worker.wake();
    await until(() => receiver.accepted.length === 21);

    expect(duringPause).toBe(begun);
  });

  test("for a minute is asked by one attempt at a time, and then left alone", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    receiver.react((_, response) => response.writeHead(500).end());
    await trial.fill(20);
    await using worker = trial.startWorker({});
    await until(async () => {
      const deliveries = await trial.deliveries(ref);
      return deliveries.filter(({ lastAttempt }) => lastAttempt).length === 20;
    });
    const before = receiver.requests.length;

    trial.shiftClock(2 * 60_000);
    worker.wake();
    const resumeMs = await until(async () => {
      const [row] = await runAsAdmin<{ resume_time: Date | null }>(
        adminUrl,
        `select resume_time from signet.webhooks where id = '${ref.id}'`,
      );
      return row?.resume_time?.getTime();
    });

    expect(receiver.requests).toHaveLength(before + 1);
    const pauseMs = resumeMs - (Date.now() + 2 * 60_000);
    expect(pauseMs).toBeGreaterThan(10_000);
    expect(pauseMs).toBeLessThan(60_000);
  });

  test("and hangs does not hold up another webhook", async () => {
    await using hanging = await startReceiver();
    await using receiver = await startReceiver();
    const ref = await trial.open(hanging);
    await trial.open(receiver);
    hanging.react(() => undefined);
    await trial.fill(50);

    await using _worker = trial.startWorker();
    await until(() => receiver.accepted.length === 50);
    await until(async () => (await trial.find(ref)).lastAttempt);

    expect(hanging.openMax()).toBeLessThanOrEqual(8);
    expect((await trial.find(ref)).lastAttempt).toMatchObject({ status: 0, problem: "timed_out" });
  });
});

/** The deliveries of a webhook, once they are in these states. */
async function statesOf(ref: WebhookRef, ...states: readonly string[]) {
  return await until(async () => {
    const all = await trial.deliveries(ref);
    return all.map(({ state }) => state).join() === states.join() ? all : undefined;
  });
}

/** What a User's last accepted event says is never older than the one before. */
function expectOrder({ accepted, refusals }: WebhookReceiver): void {
  const versions = new Map<string, bigint>();
  for (const { event } of accepted) {
    const id = userOf(event);
    const version = event.change?.user?.version ?? 0n;
    expect(version).toBeGreaterThanOrEqual(versions.get(id) ?? 0n);
    versions.set(id, version);
  }
  expect(refusals).toEqual([]);
}

function userOf(event: WebhookReceiver["requests"][number]["event"]): string {
  return event.change?.user?.id ?? "";
}

async function acts({ id }: WebhookRef): Promise<string[]> {
  const rows = await runAsAdmin<{ kind: string }>(
    adminUrl,
    `select kind from signet.audit_events where subject_id = '${id}' order by create_time`,
  );
  return rows.map(({ kind }) => kind);
}
