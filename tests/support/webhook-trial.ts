import { randomBytes } from "node:crypto";
import { createEnvelope } from "../../src/crypto/envelope.ts";
import { createSubkeys } from "../../src/crypto/subkeys.ts";
import type { Deps } from "../../src/domain/deps.ts";
import { createKnownSites } from "../../src/domain/known-sites.ts";
import { makeSigningKey } from "../../src/domain/signing-keys.ts";
import { numberChanges } from "../../src/domain/sync.ts";
import { listDeliveries } from "../../src/domain/webhook-deliveries.ts";
import type { WebhookWorkDeps } from "../../src/domain/webhook-work.ts";
import { createWebhook, listWebhooks } from "../../src/domain/webhooks.ts";
import { startWebhookWorker } from "../../src/jobs/deliver-webhooks.ts";
import type { SiteId } from "../../src/model/id.ts";
import type { Webhook, WebhookDelivery, WebhookSettings } from "../../src/model/webhook.ts";
import { createWebhookPost } from "../../src/outbound/webhook-post.ts";
import { encodeWebhookEvent } from "../../src/rpc/webhook-event.ts";
import type { Database } from "../../src/store/database.ts";
import { insertSigningKey } from "../../src/store/signing-keys.ts";
import type { WebhookRef } from "../../src/store/webhook-work.ts";
import { createBareSite } from "./bare-site.ts";
import { type ChangeGenerator, createChangeGenerator } from "./change-generator.ts";
import { silentLog } from "./postgres.ts";
import type { WebhookReceiver } from "./webhook-receiver.ts";

/** Whoever runs Signet, who may have webhooks on this machine. */
export const OPERATOR = { kind: "operator" } as const;

/** A worker that does not make a test wait: retries within milliseconds. */
export const QUICK = {
  schedule: { firstDelayMs: 20, delayMsMax: 200, attemptsMax: 19 },
  leaseMs: 2_000,
} as const satisfies Partial<WebhookWorkDeps>;

/** A Site with webhooks, whose deliveries are made by workers of the test's own. */
export interface WebhookTrial {
  readonly deps: Deps;
  readonly siteId: SiteId;
  readonly generator: ChangeGenerator;
  /** Sets the clock of the service ahead of that of the machine. */
  shiftClock(ms: number): void;
  /** Creates a webhook that posts to a receiver, which learns the secret. */
  open(receiver: WebhookReceiver, settings?: Partial<WebhookSettings>): Promise<WebhookRef>;
  /** Creates Users, each by a Change, and has all Changes numbered. */
  fill(count: number): ReturnType<ChangeGenerator["fill"]>;
  number(): Promise<void>;
  find(ref: WebhookRef): Promise<Webhook>;
  /** All deliveries, in the order of their positions. */
  deliveries(ref: WebhookRef): Promise<WebhookDelivery[]>;
  /** Starts a worker, by default a quick one; dispose of it at the end. */
  startWorker(options?: Partial<WebhookWorkDeps>): AsyncDisposable & { wake(): void };
}

/** Opens a Site without Users. */
export async function openWebhookTrial(
  db: Database,
  masterKey: Buffer = randomBytes(32),
): Promise<WebhookTrial> {
  let shiftMs = 0;
  const deps = webhookDeps(db, masterKey, () => shiftMs);
  const siteId = await createBareSite(db);
  const key = await makeSigningKey(deps.envelope, siteId, "ES256", "current", new Date());
  await db.inSite(siteId, (tx) => insertSigningKey(tx, siteId, key));
  const generator = createChangeGenerator(db, siteId);

  return {
    deps,
    siteId,
    generator,
    shiftClock(ms) {
      shiftMs = ms;
    },
    async open(receiver, settings = {}) {
      const { url } = receiver;
      const wanted = { id: undefined, url, label: "test", kinds: [], userFields: [], ...settings };
      const { webhook, secret } = await createWebhook(deps, OPERATOR, siteId, wanted);
      receiver.secrets.push(secret?.reveal() ?? "");
      return { siteId, id: webhook.id };
    },
    async fill(count) {
      const ids = await generator.fill(count);
      await numberChanges(deps);
      return ids;
    },
    number: () => numberChanges(deps),
    async find({ id }) {
      const webhooks = await listWebhooks(deps, siteId, { after: undefined, limit: 100 });
      const found = webhooks.find((webhook) => webhook.id === id);
      if (!found) throw new Error("the webhook is gone");
      return found;
    },
    async deliveries(ref) {
      const everything = { states: [], userId: undefined };
      const page = { before: undefined, limit: 100_000 };
      return (await listDeliveries(deps, ref, everything, page)).reverse();
    },
    startWorker(options = QUICK) {
      const worker = startWebhookWorker({ ...deps, ...options }, silentLog);
      return { wake: worker.wake, [Symbol.asyncDispose]: worker.stop };
    },
  };
}

/** What the rules about webhooks use, and no more. */
export function webhookDeps(db: Database, masterKey: Buffer, shiftMs: () => number = () => 0) {
  const keys = new Map([[1, masterKey]]);
  const envelope = createEnvelope(createSubkeys({ current: 1, keys }));
  const used: Partial<Deps> = {
    db,
    envelope,
    clock: { now: () => new Date(Date.now() + shiftMs()) },
    sites: createKnownSites({ db, envelope, isFresh: () => true }),
    webhookPost: createWebhookPost({ internalHosts: ["127.0.0.1"], timeoutMs: 1_000 }),
    encodeWebhookEvent,
  };
  return used as Deps;
}
