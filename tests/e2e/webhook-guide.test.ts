import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openGuide } from "../support/guide.ts";
import { startProgram } from "../support/programs.ts";
import { freePort } from "../support/service.ts";
import { until } from "../support/waiting.ts";
import { openWebhookService, type WebhookService } from "../support/webhook-site.ts";

const RECEIVER = "examples/webhook-receiver.ts";

let service: WebhookService;

beforeAll(async () => {
  service = await openWebhookService();
});

afterAll(() => service[Symbol.asyncDispose]());

test("webhooks.md shows code of examples/webhook-receiver.ts", () => {
  const guide = readFileSync("docs/guides/webhooks.md", "utf8");
  const blocks = [...guide.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block = ""]) => block);

  expect(blocks).toHaveLength(1);
  expect(readFileSync(RECEIVER, "utf8")).toContain(blocks[0]);
});

test("the lines of webhooks.md work in their order, with the example", async () => {
  const { siteId, backend } = await service.openSite();
  const port = await freePort();
  const { url, operatorKey } = service;
  const guide = openGuide("webhooks", { SIGNET_URL: url, SIGNET_KEY: operatorKey });
  const values = { "site id": siteId, "receiver url": `http://127.0.0.1:${port}/hook` };

  const created = (await guide.runNext(values)) as unknown as CreatedAnswer;
  const named = { ...values, "webhook id": created.webhook.id };
  const env = { WEBHOOK_SECRETS: created.secret, PORT: `${port}` };
  const receiver = startProgram(process.execPath, [RECEIVER], env);
  await receiver.output.waitFor(/ready/, "the receiver");
  const tested = await guide.runNext(named);
  const updated = await guide.runNext(named);
  await backend.users.createUser({ email: "ada@example.com" });
  await receiver.output.waitFor(/user\.created: ada@example\.com/, "the event");
  const dead = await guide.runNext(named);
  const redelivered = await until(async () => {
    const { deliveries } = await backend.sync.listWebhookDeliveries({
      webhookId: created.webhook.id,
    });
    return deliveries[0]?.attemptCount === 1 && deliveries[0].lastAttempt && deliveries;
  });
  const queued = await guide.runNext(named);
  const rotated = await guide.runNext(named);
  const deleted = await guide.runNext(named);
  await receiver.stop();

  expect(tested).toMatchObject({ attempt: { httpStatus: 204 } });
  expect(updated).toMatchObject({ webhook: { state: "WEBHOOK_STATE_ENABLED" } });
  expect(dead).toEqual({});
  expect(redelivered).toHaveLength(1);
  expect(queued).toEqual({});
  expect(rotated).toMatchObject({
    secret: expect.stringMatching(/^whsec_/),
    webhook: { secrets: [{}, { expireTime: expect.any(String) }] },
  });
  expect(deleted).toEqual({});
  expect(guide.left()).toBe(0);
});

interface CreatedAnswer {
  readonly webhook: { readonly id: string };
  readonly secret: string;
}
