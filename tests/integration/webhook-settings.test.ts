import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { UserState } from "../../gen/signet/v1/user_pb.ts";
import { redeliver } from "../../src/domain/webhook-deliveries.ts";
import { updateWebhook, type WebhookChange } from "../../src/domain/webhook-update.ts";
import { rotateWebhookSecret } from "../../src/domain/webhooks.ts";
import type { UserId } from "../../src/model/id.ts";
import type { WebhookRef } from "../../src/store/webhook-work.ts";
import { openTestDatabase, runAsAdmin } from "../support/database.ts";
import { until } from "../support/waiting.ts";
import { startReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";
import { OPERATOR, openWebhookTrial, type WebhookTrial } from "../support/webhook-trial.ts";

const database = await openTestDatabase();
afterAll(() => database[Symbol.asyncDispose]());
const { db, adminUrl } = database;

let trial: WebhookTrial;
beforeEach(async () => {
  trial = await openWebhookTrial(db);
});

describe("the settings of a webhook", () => {
  test("choose Changes by kind, each with the position of the one before it", async () => {
    await using receiver = await startReceiver();
    const [id] = (await trial.fill(1)) as [UserId];
    await trial.open(receiver, { kinds: ["user_updated", "user_deleted"] });
    for (const _ of [1, 2]) {
      await trial.generator.update(id);
      await trial.fill(2);
    }
    await trial.generator.remove(id);
    await trial.number();

    await using _worker = trial.startWorker();
    await until(() => receiver.accepted.length === 3);

    expect(chainOf(receiver)).toEqual([
      [0, 2, "user.updated"],
      [2, 5, "user.updated"],
      [5, 8, "user.deleted"],
    ]);
  });

  test("choose fields of Users", async () => {
    await using receiver = await startReceiver();
    await trial.open(receiver, { userFields: ["email"] });
    await trial.fill(1);

    await using _worker = trial.startWorker();
    await until(() => receiver.accepted.length === 1);

    const { user } = receiver.accepted[0]?.event.change ?? {};
    expect(user).toMatchObject({ displayName: "", roles: [], version: 1n });
    expect(user?.id).not.toBe("");
  });

  test("are those of waiting deliveries too", async () => {
    await using old = await startReceiver();
    await using receiver = await startReceiver();
    const ref = await trial.open(old);
    receiver.secrets.push(...old.secrets);
    const [id] = (await trial.fill(5)) as [UserId];
    await trial.generator.update(id);
    await trial.number();
    old.react((_, response) => response.writeHead(500).end());
    await using _worker = trial.startWorker();
    await until(async () => (await trial.find(ref)).pendingCount === 6);

    const settings = { url: receiver.url, kinds: ["user_updated"] } as const;
    const changed = await update(ref, { settings });
    await until(() => receiver.accepted.length === 1);

    expect(changed).toMatchObject({ version: 2, pendingCount: 1 });
    expect(chainOf(receiver)).toEqual([[5, 6, "user.updated"]]);
  });

  test("are changed by whoever knows the version, and by nobody else", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);

    const changed = await update(ref, { expectedVersion: 1, settings: { label: "new" } });
    const same = await update(ref, { settings: { label: "new" } });
    const late = update(ref, { expectedVersion: 1, settings: { label: "late" } });

    expect([changed.version, same.version]).toEqual([2, 2]);
    await expect(late).rejects.toMatchObject({
      reason: "version_mismatch",
      metadata: { version: "2" },
    });
  });

  test("switch it off and on, and it goes on where it stopped", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    await update(ref, { enabled: false });
    await using worker = trial.startWorker();
    await trial.fill(3);
    worker.wake();
    await using other = await startReceiver();
    await trial.open(other);
    await trial.fill(1);
    await until(() => other.accepted.length === 1);

    const whileOff = receiver.requests.length;
    await update(ref, { enabled: true });
    await until(() => receiver.accepted.length === 4);

    expect(whileOff).toBe(0);
  });

  test("let it go on at the head, giving up what waits", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    receiver.react((_, response) => response.writeHead(500).end());
    await trial.fill(3);
    await using _worker = trial.startWorker();
    await until(async () => (await trial.find(ref)).pendingCount === 3);

    const skipped = await update(ref, { skipBacklog: true });
    receiver.react(undefined);
    await trial.fill(1);
    await until(() => receiver.accepted.length === 1);

    expect(skipped).toMatchObject({ pendingCount: 0, position: 3 });
    expect(chainOf(receiver)).toEqual([[3, 4, "user.created"]]);
    const states = (await trial.deliveries(ref)).map(({ state }) => state);
    expect(states.slice(0, 3)).toEqual(["dead", "dead", "dead"]);
  });
});

describe("a new secret", () => {
  test("signs beside the old one for a while", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    const old = [...receiver.secrets];
    await using _worker = trial.startWorker();

    const { secret, webhook } = await rotateWebhookSecret(trial.deps, OPERATOR, ref, 3_600);
    await trial.fill(1);
    await until(() => receiver.accepted.length === 1);
    receiver.secrets.splice(0, 1, secret.reveal());
    await trial.fill(1);
    await until(() => receiver.accepted.length === 2);

    expect(webhook.secrets).toHaveLength(2);
    expect(webhook.secrets[1]?.expireTime?.getTime()).toBeGreaterThan(Date.now());
    receiver.secrets.splice(0, 1, ...old);
    trial.shiftClock(3_601_000);
    await trial.fill(1);
    await until(() => receiver.refusals.length > 0);
    expect(receiver.accepted).toHaveLength(2);
  });

  test("whose answer was lost is replaced, and the one in use goes on", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    await rotateWebhookSecret(trial.deps, OPERATOR, ref, 3_600);

    const { webhook } = await rotateWebhookSecret(trial.deps, OPERATOR, ref, 3_600);
    await trial.fill(1);
    await using _worker = trial.startWorker();
    await until(() => receiver.accepted.length === 1);

    expect(webhook.secrets).toHaveLength(2);
    expect(webhook.version).toBe(3);
  });

  test("takes the place of the old one at once where that is asked for", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    await rotateWebhookSecret(trial.deps, OPERATOR, ref, 0);

    await trial.fill(1);
    await using _worker = trial.startWorker();
    await until(() => receiver.refusals.length > 0);

    expect(receiver.accepted).toEqual([]);
  });

  test("is nowhere in the clear in the database", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    const [text = ""] = receiver.secrets;
    const bytes = Buffer.from(text.slice("whsec_".length), "base64");

    const [row] = await runAsAdmin<{ row: string; secret: Buffer }>(
      adminUrl,
      `select w::text as row, secret from signet.webhooks w where id = '${ref.id}'`,
    );

    expect(row?.row).not.toContain(text);
    expect(row?.secret.includes(bytes)).toBe(false);
    expect(row?.secret.includes(text)).toBe(false);
  });
});

describe("the log", () => {
  test("that has lost what a webhook was owed shows a gap before the next event", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    await update(ref, { enabled: false });
    await trial.fill(10);
    await runAsAdmin(
      adminUrl,
      `delete from signet.changes where site_id = '${trial.siteId}' and position <= 7`,
    );
    await update(ref, { enabled: true });

    await using _worker = trial.startWorker();
    await until(() => receiver.accepted.length === 3);

    expect(chainOf(receiver)).toEqual([
      [7, 8, "user.created"],
      [8, 9, "user.created"],
      [9, 10, "user.created"],
    ]);
    const range = { first: 1, last: undefined, undeliveredOnly: false };
    await expect(redeliver(trial.deps, OPERATOR, ref, range)).rejects.toMatchObject({
      reason: "cursor_expired",
      metadata: { oldest_position: "8" },
    });
  });

  test("that loses a Change whose delivery waits makes it a dead one", async () => {
    await using receiver = await startReceiver();
    const ref = await trial.open(receiver);
    receiver.react((_, response) => response.writeHead(500).end());
    await trial.fill(1);
    await using _worker = trial.startWorker();
    await until(() => receiver.requests.length > 0);
    await runAsAdmin(
      adminUrl,
      `delete from signet.changes where site_id = '${trial.siteId}' and position = 1`,
    );

    await until(async () => (await trial.deliveries(ref))[0]?.state === "dead");
  });

  test("brings Changes from before a webhook where they are asked for", async () => {
    await using receiver = await startReceiver();
    const [id] = (await trial.fill(4)) as [UserId];
    await trial.generator.remove(id);
    await trial.number();
    const ref = await trial.open(receiver);

    const range = { first: 1, last: 4, undeliveredOnly: true };
    const queued = await redeliver(trial.deps, OPERATOR, ref, range);
    const again = await redeliver(trial.deps, OPERATOR, ref, range);
    await using _worker = trial.startWorker();
    await until(() => receiver.accepted.length === 4);

    expect([queued, again]).toEqual([4, 0]);
    expect(chainOf(receiver).map(([previous]) => previous)).toEqual([0, 1, 2, 3]);
    const erased = receiver.accepted.find(({ event }) => event.position === 1n)?.event.change?.user;
    expect(erased).toMatchObject({ id, state: UserState.DELETED, displayName: "" });
  });
});

async function update(ref: WebhookRef, change: Partial<WebhookChange>) {
  const none = { expectedVersion: undefined, enabled: undefined, skipBacklog: false } as const;
  return await updateWebhook(trial.deps, OPERATOR, ref, { ...none, settings: {}, ...change });
}

/** What was accepted by position: the one before, its own, and its type. */
function chainOf({ accepted }: WebhookReceiver): [number, number, string][] {
  return accepted
    .map(({ event }): [number, number, string] => [
      Number(event.previousPosition),
      Number(event.position),
      event.type,
    ])
    .sort(([, one], [, other]) => one - other);
}
