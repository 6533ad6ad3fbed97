import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { patiently, refusal } from "../support/builders.ts";
import { startReceiver } from "../support/webhook-receiver.ts";
import {
  openWebhookService,
  type WebhookService,
  type WebhookSite,
} from "../support/webhook-site.ts";

const URL = "https://hooks.invalid/a";

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
  test("is created once, however often the call is repeated", async () => {
    const { sync } = site.backend;
    const wanted = { id: randomUUID(), url: URL, label: "shop" };

    const first = await sync.createWebhook(wanted);
    const again = await sync.createWebhook(wanted);

    expect(first.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(again).toMatchObject({ webhook: { id: wanted.id, version: 1n }, secret: "" });
    expect(await refusal(sync.createWebhook({ ...wanted, label: "other" }))).toMatchObject({
      code: "AlreadyExists",
      reason: "ID_TAKEN",
    });
  });

  test.each([
    "http://hooks.example.com/a",
    "https://127.0.0.1/a",
    "https://0x7f.1/a",
    "https://[::ffff:10.0.0.1]/a",
    "https://169.254.169.254/latest",
    "https://localhost/a",
    "https://me:secret@hooks.example.com/a",
    "https://hooks.example.com/#a",
    "ftp://hooks.example.com/",
    "",
  ])("is refused at %j", async (url) => {
    const refused = await refusal(site.backend.sync.createWebhook({ url }));

    expect(refused).toMatchObject({ reason: "INVALID_FIELD", metadata: { field: "url" } });
  });

  test("at a host of one's own is for operators", async () => {
    await using receiver = await startReceiver();
    const webhookId = await site.open(receiver);
    const { url } = receiver;

    const change = { id: webhookId, url: `${url}/other` };

    expect(await refusal(site.backend.sync.createWebhook({ url }))).toMatchObject({
      reason: "INVALID_FIELD",
    });
    expect(await refusal(site.backend.sync.updateWebhook(change))).toMatchObject({
      reason: "INVALID_FIELD",
    });
  });

  test("shows no field that the key behind it cannot see", async () => {
    const narrow = await site.keyed({ scopes: [Scope.SITE_ADMIN], userFields: ["email"] });
    const userFields = { userFields: ["username"] };

    const { webhook } = await narrow.sync.createWebhook({ url: URL });
    const wide = await site.backend.sync.createWebhook({ url: URL });
    const widened = { id: webhook?.id ?? "", userFields };
    const redirected = { id: wide.webhook?.id ?? "", url: URL };

    expect(webhook?.userFields).toEqual(["email"]);
    expect(wide.webhook?.userFields).toEqual([]);
    const denied = { reason: "ACCESS_DENIED" };
    const more = narrow.sync.createWebhook({ url: URL, ...userFields });
    expect(await refusal(more)).toMatchObject(denied);
    expect(await refusal(narrow.sync.updateWebhook(widened))).toMatchObject(denied);
    expect(await refusal(narrow.sync.updateWebhook(redirected))).toMatchObject(denied);
  });

  test("is one of 32 at most", async () => {
    const { sync } = site.backend;
    const create = () => patiently(() => sync.createWebhook({ url: URL }));
    await Promise.all(Array.from({ length: 32 }, create));

    const refused = await refusal(sync.createWebhook({ url: URL }));
    const first = await sync.listWebhooks({ pageSize: 20 });
    const second = await sync.listWebhooks({ pageSize: 20, pageToken: first.nextPageToken });

    expect(refused).toMatchObject({ reason: "LIMIT_REACHED", metadata: { limit: "32" } });
    expect(first.webhooks).toHaveLength(20);
    expect(new Set([...first.webhooks, ...second.webhooks].map(({ id }) => id)).size).toBe(32);
    expect(second.nextPageToken).toBe("");
  });

  test("that is deleted is gone, also for a second time", async () => {
    const { sync } = site.backend;
    const { webhook } = await sync.createWebhook({ url: URL });
    const id = webhook?.id ?? "";

    await sync.deleteWebhook({ id });

    const gone = { code: "NotFound", reason: "WEBHOOK_NOT_FOUND" };
    expect(await refusal(sync.deleteWebhook({ id }))).toMatchObject(gone);
    expect(await refusal(sync.updateWebhook({ id, label: "x" }))).toMatchObject(gone);
    expect(await refusal(sync.rotateWebhookSecret({ id }))).toMatchObject(gone);
    expect(await refusal(sync.sendTestWebhook({ id }))).toMatchObject(gone);
    expect(await refusal(sync.listWebhookDeliveries({ webhookId: id }))).toMatchObject(gone);
  });

  test("is for keys with site.admin", async () => {
    const backend = await site.keyed({ scopes: [Scope.SYNC, Scope.USERS_WRITE] });

    expect(await refusal(backend.sync.createWebhook({ url: URL }))).toMatchObject({
      code: "PermissionDenied",
    });
  });
});

describe("a new secret", () => {
  test.each([
    [undefined, 86_400],
    [60, 60],
  ])("with an overlap of %s is shown once", async (overlapSeconds, expected) => {
    const { sync } = site.backend;
    const { webhook: created, secret: old } = await sync.createWebhook({ url: URL });
    const id = created?.id ?? "";

    const given = overlapSeconds === undefined ? {} : { overlapSeconds };
    const { webhook, secret } = await sync.rotateWebhookSecret({ id, ...given });

    expect(secret).toMatch(/^whsec_/);
    expect(secret).not.toBe(old);
    expect(webhook).toMatchObject({ version: 2n, secrets: [{}, {}] });
    const seconds = Number(webhook?.secrets[1]?.expireTime?.seconds) - Date.now() / 1_000;
    expect(Math.abs(seconds - expected)).toBeLessThan(60);
  });

  test.each([-1, 2_592_001])("has no overlap of %i seconds", async (overlapSeconds) => {
    const { webhook } = await site.backend.sync.createWebhook({ url: URL });
    const id = webhook?.id ?? "";

    const refused = refusal(site.backend.sync.rotateWebhookSecret({ id, overlapSeconds }));

    expect(await refused).toMatchObject({ metadata: { field: "overlap_seconds" } });
  });
});
