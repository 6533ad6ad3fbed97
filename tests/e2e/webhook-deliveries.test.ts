import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  ChangeKind,
  HealthVerdict,
  SyncProblemKind,
  WebhookDeliveryState,
  WebhookProblem,
  WebhookState,
} from "../../gen/signet/v1/change_pb.ts";
import { refusal, uniqueEmail } from "../support/builders.ts";
import { until } from "../support/waiting.ts";
import { startReceiver } from "../support/webhook-receiver.ts";
import {
  openWebhookService,
  type WebhookService,
  type WebhookSite,
} from "../support/webhook-site.ts";

let service: WebhookService;
let site: WebhookSite;

beforeAll(async () => {
  service = await openWebhookService();
});

afterAll(() => service[Symbol.asyncDispose]());

beforeEach(async () => {
  site = await service.openSite();
});

describe("a webhook", () => {
  test("tells a receiver of each Change, and shows in lists and health", async () => {
    await using receiver = await startReceiver();
    const { siteId, backend } = site;
    const webhookId = await site.open(receiver, { label: "shop", kinds: [ChangeKind.CREATED] });

    const { user } = await backend.users.createUser({ email: uniqueEmail() });
    await backend.users.updateUser({ userId: user?.id ?? "", displayName: "Ada" });
    await until(() => receiver.accepted.length === 1);
    const [{ id, event } = { id: "", event: undefined }] = receiver.accepted;
    const delivered = await until(async () => {
      const { deliveries } = await backend.sync.listWebhookDeliveries({ webhookId });
      return deliveries[0]?.state === WebhookDeliveryState.DELIVERED ? deliveries : undefined;
    });
    const { webhooks } = await backend.sync.listWebhooks({});
    const { health } = await backend.sync.getSyncHealth({});

    expect(event).toMatchObject({
      type: "user.created",
      siteId,
      webhookId,
      epoch: 1,
      position: 1n,
      change: { kind: ChangeKind.CREATED, user: { id: user?.id, email: user?.email } },
    });
    expect(delivered).toMatchObject([
      { id, webhookId, position: 1n, userId: user?.id, attemptCount: 1, kind: ChangeKind.CREATED },
    ]);
    expect(delivered[0]?.lastAttempt).toMatchObject({ httpStatus: 204 });
    expect(webhooks).toMatchObject([{ id: webhookId, label: "shop", version: 1n }]);
    expect(JSON.stringify(webhooks, (_, value) => String(value))).not.toContain("whsec_");
    expect(health).toMatchObject({ verdict: HealthVerdict.HEALTHY, webhooks: { count: 1n } });
    expect(receiver.refusals).toEqual([]);
  });

  test("that fails shows in the health of the Site until it was delivered again", async () => {
    await using receiver = await startReceiver();
    receiver.react((_, response) => response.writeHead(410).end());
    const webhookId = await site.open(receiver);
    await site.backend.users.createUser({ email: uniqueEmail() });

    const sick = await until(async () => {
      const { health } = await site.backend.sync.getSyncHealth({});
      return health?.problems[0]?.kind === SyncProblemKind.WEBHOOK_DISABLED ? health : undefined;
    });
    const { webhooks } = await site.backend.sync.listWebhooks({});
    receiver.react(undefined);
    await site.backend.sync.updateWebhook({ id: webhookId, enabled: true });
    await until(() => receiver.accepted.length === 1);
    const well = await until(async () => {
      const { health } = await site.backend.sync.getSyncHealth({});
      return health?.verdict === HealthVerdict.HEALTHY ? health : undefined;
    });

    expect(sick).toMatchObject({
      verdict: HealthVerdict.UNHEALTHY,
      problems: [{ subjectId: webhookId }],
      webhooks: { count: 1n, disabledCount: 1n, pendingCount: 1n, failingCount: 1n },
    });
    expect(webhooks[0]).toMatchObject({ state: WebhookState.GONE, pendingCount: 1n });
    expect(well.webhooks).toMatchObject({ disabledCount: 0n, pendingCount: 0n });
  });

  test("can be tested, which changes nothing about it", async () => {
    await using receiver = await startReceiver();
    const id = await site.open(receiver);
    const { sync } = site.backend;
    await sync.updateWebhook({ id, enabled: false });

    const good = await sync.sendTestWebhook({ id });
    receiver.react((_, response) => response.writeHead(302, { location: "/" }).end());
    const bad = await sync.sendTestWebhook({ id });
    const { webhooks } = await sync.listWebhooks({});

    expect(good.attempt).toMatchObject({ httpStatus: 204, problem: WebhookProblem.UNSPECIFIED });
    expect(bad.attempt).toMatchObject({ httpStatus: 302, problem: WebhookProblem.STATUS_REFUSED });
    expect(receiver.requests[0]?.event).toMatchObject({ type: "test", webhookId: id });
    expect(receiver.requests[0]?.event.change).toBeUndefined();
    expect(webhooks[0]).toMatchObject({ state: WebhookState.DISABLED, version: 2n });
    expect(webhooks[0]?.lastAttempt).toBeUndefined();
  });

  test("lists its deliveries page by page, and by state and User", async () => {
    await using receiver = await startReceiver();
    const webhookId = await site.open(receiver);
    const { sync, users } = site.backend;
    const made = await Promise.all(
      Array.from({ length: 5 }, () => users.createUser({ email: uniqueEmail() })),
    );
    await until(async () => {
      const states = [WebhookDeliveryState.DELIVERED];
      return (await sync.listWebhookDeliveries({ webhookId, states })).deliveries.length === 5;
    });

    const first = await sync.listWebhookDeliveries({ webhookId, pageSize: 3 });
    const next = { webhookId, pageSize: 3, pageToken: first.nextPageToken };
    const second = await sync.listWebhookDeliveries(next);
    const userId = made[0]?.user?.id ?? "";
    const ofUser = await sync.listWebhookDeliveries({ webhookId, userId });
    const dead = await sync.listWebhookDeliveries({
      webhookId,
      states: [WebhookDeliveryState.DEAD],
    });
    const misused = sync.listWebhookDeliveries({ ...next, userId });

    const positions = [...first.deliveries, ...second.deliveries].map(({ position }) => position);
    expect(positions).toEqual([5n, 4n, 3n, 2n, 1n]);
    expect(second.nextPageToken).toBe("");
    expect(ofUser.deliveries).toMatchObject([{ userId }]);
    expect(dead.deliveries).toEqual([]);
    expect(await refusal(misused)).toMatchObject({ reason: "INVALID_PAGE_TOKEN" });
  });

  test("delivers again what is asked for", async () => {
    await using receiver = await startReceiver();
    const { sync, users } = site.backend;
    for (const _ of [1, 2, 3]) await users.createUser({ email: uniqueEmail() });
    await until(async () => (await sync.getSyncHealth({})).health?.head === 3n);
    const webhookId = await site.open(receiver);

    const range = { firstPosition: 2n };
    const queued = await sync.redeliverWebhook({
      webhookId,
      what: { case: "range", value: range },
    });
    await until(() => receiver.accepted.length === 2);
    const [{ id } = { id: "" }] = receiver.accepted;
    const one = await until(async () => {
      const what = { case: "deliveryId", value: id } as const;
      const { queuedCount } = await sync.redeliverWebhook({ webhookId, what });
      return queuedCount;
    });
    await until(() => receiver.accepted.length === 3);

    expect([queued.queuedCount, one]).toEqual([2n, 1n]);
    expect(receiver.accepted[2]?.id).toBe(id);
    const none = { case: "deliveryId", value: `${id}1` } as const;
    const tooLong = {
      case: "range",
      value: { firstPosition: 0n },
    } as const;
    expect(await refusal(sync.redeliverWebhook({ webhookId, what: none }))).toMatchObject({
      reason: "DELIVERY_NOT_FOUND",
    });
    expect(await refusal(sync.redeliverWebhook({ webhookId, what: tooLong }))).toMatchObject({
      reason: "INVALID_FIELD",
    });
    expect(await refusal(sync.redeliverWebhook({ webhookId }))).toMatchObject({
      reason: "INVALID_FIELD",
    });
  });
});
