import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Deps } from "../../src/domain/deps.ts";
import { removeLeftWebhooks } from "../../src/domain/left-webhooks.ts";
import { eraseClosedSites } from "../../src/domain/site-erasure.ts";
import { numberChanges } from "../../src/domain/sync.ts";
import { createWebhook } from "../../src/domain/webhooks.ts";
import { startWebhookWorker } from "../../src/jobs/deliver-webhooks.ts";
import { parseId, type SiteId } from "../../src/model/id.ts";
import { LIMITS } from "../../src/model/limits.ts";
import { createWebhookPost } from "../../src/outbound/webhook-post.ts";
import { encodeWebhookEvent } from "../../src/rpc/webhook-event.ts";
import { openSite, type TestSite, uniqueEmail } from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { type InnerService, openInnerService } from "../support/inner-service.ts";
import { mirrorReport } from "../support/mirror-reports.ts";
import { silentLog } from "../support/postgres.ts";
import { until } from "../support/waiting.ts";
import { startReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";
import { OPERATOR, QUICK } from "../support/webhook-trial.ts";

const DAY_MS = 86_400_000;

let opened: InnerService;
let deps: Deps;
let site: TestSite;
let neighbour: TestSite;

beforeAll(async () => {
  opened = await openInnerService();
  const webhookPost = createWebhookPost({ internalHosts: ["127.0.0.1"], timeoutMs: 1_000 });
  deps = { ...opened.deps, webhookPost, encodeWebhookEvent };
});

beforeEach(async () => {
  const transport = createGrpcTransport({ baseUrl: opened.url });
  site = await openSite(transport, opened.operatorKey);
  neighbour = await openSite(transport, opened.operatorKey);
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("of a deleted Site", () => {
  test("no Mirror is left, and those of others are", async () => {
    await site.backend.sync.reportMirror(mirrorReport());
    await neighbour.backend.sync.reportMirror(mirrorReport());

    await erase();

    expect(await countOf("mirrors", site)).toBe(0);
    expect(await countOf("mirrors", neighbour)).toBe(1);
  });

  test("a webhook posts the deletions, and is then gone with its secret", async () => {
    await using receiver = await startReceiver();
    await openWebhook(site, receiver);
    await openWebhook(neighbour, receiver);
    const { user } = await site.backend.users.createUser({ email: uniqueEmail() });

    await erase();
    const early = await removeLeftWebhooks(deps);
    const worker = startWebhookWorker({ ...deps, ...QUICK }, silentLog);
    const removed = await until(async () => {
      await numberChanges(deps);
      return await removeLeftWebhooks(deps);
    });
    await worker.stop();

    expect([early, removed]).toEqual([0, 1]);
    const types = receiver.accepted.map(({ event }) => [event.type, event.change?.user?.id]);
    expect(types).toContainEqual(["user.deleted", user?.id]);
    expect(await countOf("webhooks", site)).toBe(0);
    expect(await countOf("webhook_deliveries", site)).toBe(0);
    expect(await countOf("webhooks", neighbour)).toBe(1);
    const acts = await runAsAdmin<{ kind: string; actor_kind: string }>(
      opened.database.adminUrl,
      `select kind, actor_kind from signet.audit_events
        where site_id = '${site.siteId}' and kind = 'webhook.deleted'`,
    );
    expect(acts).toEqual([{ kind: "webhook.deleted", actor_kind: "system" }]);
  });

  test("a webhook that is switched off goes at once, one without an answer in days", async () => {
    await using receiver = await startReceiver();
    const id = await openWebhook(site, receiver);
    await openWebhook(neighbour, receiver);
    await site.backend.sync.updateWebhook({ id, enabled: false });
    for (const each of [site, neighbour]) {
      await each.backend.users.createUser({ email: uniqueEmail() });
      await erase(each);
    }
    const inDays = (days: number) => {
      const now = () => new Date(Date.now() + days * DAY_MS);
      return removeLeftWebhooks({ ...deps, clock: { now } });
    };

    const switchedOff = await inDays(LIMITS.leftWebhookDays - 1);
    const left = [await countOf("webhooks", site), await countOf("webhooks", neighbour)];
    const late = await inDays(LIMITS.leftWebhookDays + 1);

    expect([switchedOff, left, late]).toEqual([1, [0, 1], 1]);
    expect(await countOf("webhooks", neighbour)).toBe(0);
  });
});

async function openWebhook({ siteId }: TestSite, receiver: WebhookReceiver): Promise<string> {
  const { url } = receiver;
  const wanted = { id: undefined, url, label: "", kinds: [], userFields: [] };
  const of = parseId<SiteId>(siteId, "id");
  const { webhook, secret } = await createWebhook(deps, OPERATOR, of, wanted);
  receiver.secrets.push(secret?.reveal() ?? "");
  return webhook.id;
}

async function erase({ siteId } = site): Promise<void> {
  await opened.operator.sites.deleteSite({ siteId });
  await eraseClosedSites(deps);
}

async function countOf(table: string, { siteId }: TestSite): Promise<number> {
  const statement = `select count(*)::int as rows from signet.${table} where site_id = '${siteId}'`;
  const [counted] = await runAsAdmin<{ rows: number }>(opened.database.adminUrl, statement);
  return counted?.rows ?? -1;
}
