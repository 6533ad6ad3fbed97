import { afterAll, beforeAll, expect, test } from "vitest";
import { uniqueEmail } from "../support/builders.ts";
import { runSignet } from "../support/programs.ts";
import { until } from "../support/waiting.ts";
import { startReceiver } from "../support/webhook-receiver.ts";
import { openWebhookService, type WebhookService } from "../support/webhook-site.ts";

let service: WebhookService;

beforeAll(async () => {
  service = await openWebhookService();
});

afterAll(() => service[Symbol.asyncDispose]());

function signet(...words: readonly string[]) {
  const { url, operatorKey } = service;
  return runSignet(["webhook", ...words], { SIGNET_URL: url, SIGNET_KEY: operatorKey });
}

async function answerOf(...words: readonly string[]) {
  const { exitCode, stdout, stderr } = await signet(...words, "--json");
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return JSON.parse(stdout);
}

test("signet webhook takes a webhook through its life", async () => {
  await using receiver = await startReceiver();
  const { siteId, backend } = await service.openSite();
  const at = ["--site", siteId];

  const settings = ["--kind", "created", "--user-field", "email", "--label", "welcome"];
  const { webhook, secret } = await answerOf("create", receiver.url, ...at, ...settings);
  receiver.secrets.push(secret);
  const tested = await signet("test", webhook.id, ...at);
  await backend.users.createUser({ email: uniqueEmail() });
  const [delivered] = await until(async () => {
    const { deliveries } = await answerOf("deliveries", webhook.id, ...at, "--state", "delivered");
    return deliveries.length === 1 ? deliveries : undefined;
  });
  const table = await signet("deliveries", webhook.id, ...at);
  const again = await signet("redeliver", webhook.id, ...at, "--delivery", delivered.id);
  await until(() => receiver.accepted.length === 3);
  const range = ["--first", "1", "--last", "1", "--undelivered-only"];
  const none = await answerOf("redeliver", webhook.id, ...at, ...range);
  const off = await answerOf("update", webhook.id, ...at, "--disable", "--label", "off");
  const rotated = await signet("rotate-secret", webhook.id, ...at, "--overlap-seconds", "60");
  const list = await signet("list", ...at);
  const deleted = await signet("delete", webhook.id, ...at, "--yes");
  const { webhooks } = await answerOf("list", ...at);

  expect(webhook).toMatchObject({ kinds: ["CHANGE_KIND_CREATED"], userFields: ["email"] });
  expect(tested.stdout).toMatch(/^accepted \(204\), after \d+ ms/);
  expect(table.stdout).toMatch(/created .* delivered +1 +accepted \(204\)/);
  expect(again.stdout).toContain("1 delivery is queued");
  expect(none).toEqual({ queuedCount: "0" });
  expect(off.webhook).toMatchObject({ state: "WEBHOOK_STATE_DISABLED", label: "off" });
  expect(rotated.stdout).toMatch(/Secret, shown only now:\nwhsec_/);
  expect(list.stdout).toMatch(/off +created +disabled/);
  expect(deleted.stdout).toContain(`${webhook.id} is deleted`);
  expect(webhooks).toEqual([]);
});

test("signet webhook test ends with 1 where the receiver does not answer", async () => {
  const receiver = await startReceiver();
  const { siteId } = await service.openSite();
  const at = ["--site", siteId];
  const { webhook } = await answerOf("create", receiver.url, ...at);
  await receiver[Symbol.asyncDispose]();

  const { exitCode, stdout, stderr } = await signet("test", webhook.id, ...at);

  expect(stdout).toMatch(/, after \d+ ms\n$/);
  expect({ exitCode, stderr }).toEqual({
    exitCode: 1,
    stderr: "signet: the webhook has not accepted the test\n",
  });
});

test("signet webhook create says which addresses it takes", async () => {
  const { siteId } = await service.openSite();

  const { exitCode, stderr } = await signet("create", "http://10.0.0.1/hook", "--site", siteId);

  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^signet: <url> must be an https:\/\/ address .*SIGNET_INTERNAL_HOSTS/);
});

test("signet webhook redeliver wants one delivery or a range", async () => {
  const { siteId } = await service.openSite();
  const id = "0198f1a0-0000-7000-8000-000000000000";

  const neither = await signet("redeliver", id, "--site", siteId);
  const both = await signet("redeliver", id, "--site", siteId, "--delivery", "x", "--first", "1");

  expect([neither.exitCode, both.exitCode]).toEqual([2, 2]);
  expect(neither.stderr).toContain("say either --delivery or --first");
});
