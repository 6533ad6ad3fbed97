import { mintWebhookSecret } from "../crypto/webhook-signature.ts";
import type { Caller } from "../model/caller.ts";
import { Failure, invalidField } from "../model/failure.ts";
import { newId, type SiteId, type WebhookId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import type { Secret } from "../model/secret.ts";
import type { Webhook, WebhookSettings } from "../model/webhook.ts";
import { findSiteHead } from "../store/changes.ts";
import type { Queryable } from "../store/sql.ts";
import { deleteDeliveries } from "../store/webhook-deliveries.ts";
import type { WebhookRef } from "../store/webhook-work.ts";
import {
  countWebhooks,
  deleteWebhook as deleteStoredWebhook,
  findWebhook,
  insertWebhook,
  lastPassingBefore,
  listWebhooks as listStoredWebhooks,
  lockWebhook,
  rotateSecret,
} from "../store/webhooks.ts";
import { requireAdminNow } from "./admins.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { grantFields, requireKeyNow } from "./key-grants.ts";
import { sealWebhookSecret } from "./webhook-secrets.ts";

/** What the rules about webhooks work with. */
export type WebhookDeps = Pick<Deps, "db" | "clock" | "sites" | "envelope" | "webhookPost">;

/** A webhook, and its secret where it was made just now. */
export interface CreatedWebhook {
  readonly webhook: Webhook;
  readonly secret: Secret | undefined;
}

/**
 * Creates a webhook that begins at the head. The secret is in this answer and nowhere else; a
 * repeat with the same id answers with the webhook alone.
 *
 * @throws {Failure} `site_not_found`; `invalid_field` for an address that is not called;
 *   `access_denied` where a key would give more than it sees; `id_taken`; `limit_reached`;
 *   `credential_invalid`.
 */
export async function createWebhook(
  deps: WebhookDeps,
  caller: Caller,
  siteId: SiteId,
  { id: wantedId, ...wanted }: WebhookSettings & { readonly id: WebhookId | undefined },
): Promise<CreatedWebhook> {
  const { db, clock, sites, envelope } = deps;
  await sites.get(siteId);
  checkUrl(deps, caller, wanted.url);
  const settings = { ...wanted, userFields: grantFields(caller, wanted.userFields) };
  const now = clock.now();
  const id = wantedId ?? newId<WebhookId>(now);
  const secret = mintWebhookSecret();
  const sealed = sealWebhookSecret(envelope, { siteId, id }, secret);
  return await db.inSite(siteId, async (tx) => {
    await requireAdminNow(tx, siteId, caller);
    await requireKeyNow(tx, caller);
    const count = await countWebhooks(tx, siteId);
    const known = await findWebhook(tx, siteId, id);
    if (known) return { webhook: requireSame(known, settings), secret: undefined };
    if (count >= LIMITS.webhooksMax) {
      throw new Failure("limit_reached", { limit: String(LIMITS.webhooksMax) });
    }
    const { position: queuedPosition } = await findSiteHead(tx, siteId);
    const lastPosition = await lastPassingBefore(tx, siteId, settings.kinds, queuedPosition + 1);
    const row = { ...settings, id, secret: sealed, queuedPosition, lastPosition };
    await insertWebhook(tx, siteId, row, now);
    await recordAct(tx, siteId, caller, { kind: "webhook.created", subjectId: id }, now);
    return { webhook: await requireWebhook(tx, { siteId, id }), secret };
  });
}

/** Lists at most `limit` webhooks of the Site in id order. @throws {Failure} `site_not_found` */
export async function listWebhooks(
  { db, sites }: WebhookDeps,
  siteId: SiteId,
  page: { readonly after: WebhookId | undefined; readonly limit: number },
): Promise<Webhook[]> {
  await sites.get(siteId);
  return await db.inSite(siteId, (tx) => listStoredWebhooks(tx, siteId, page), { readOnly: true });
}

/**
 * Gives a webhook a new secret; the one before it signs for a while yet.
 *
 * @throws {Failure} `site_not_found`, `webhook_not_found`, `credential_invalid`.
 */
export async function rotateWebhookSecret(
  { db, clock, sites, envelope }: WebhookDeps,
  caller: Caller,
  webhook: WebhookRef,
  overlapSeconds: number,
): Promise<{ readonly webhook: Webhook; readonly secret: Secret }> {
  const { siteId, id } = webhook;
  await sites.get(siteId);
  const secret = mintWebhookSecret();
  const sealed = sealWebhookSecret(envelope, webhook, secret);
  return await db.inSite(siteId, async (tx) => {
    const now = clock.now();
    await lockForChange(tx, caller, webhook);
    const expireTime = new Date(now.getTime() + overlapSeconds * 1_000);
    await rotateSecret(tx, siteId, id, { secret: sealed, expireTime, now });
    await recordAct(tx, siteId, caller, { kind: "webhook.secret_rotated", subjectId: id }, now);
    return { webhook: await requireWebhook(tx, webhook), secret };
  });
}

/**
 * Deletes a webhook with its deliveries, many of them in several transactions.
 *
 * @throws {Failure} `site_not_found`, `webhook_not_found`, `credential_invalid`.
 */
export async function deleteWebhook(
  { db, clock, sites }: WebhookDeps,
  caller: Caller,
  webhook: WebhookRef,
): Promise<void> {
  const { siteId, id } = webhook;
  await sites.get(siteId);
  const limit = LIMITS.deletedDeliveriesMax;
  for (let isDone = false; !isDone; ) {
    isDone = await db.inSite(siteId, async (tx) => {
      await lockForChange(tx, caller, webhook);
      if ((await deleteDeliveries(tx, webhook, limit)) === limit) return false;
      await deleteStoredWebhook(tx, siteId, id);
      const act = { kind: "webhook.deleted", subjectId: id };
      await recordAct(tx, siteId, caller, act, clock.now());
      return true;
    });
  }
}

/**
 * Refuses an address that is not called. A host of one's own is for operators: whoever
 * administers a Site must not reach what whoever runs Signet has opened to Signet alone.
 *
 * @throws {Failure} `invalid_field`
 */
export function checkUrl({ webhookPost }: WebhookDeps, caller: Caller, text: string): void {
  const url = new URL(text);
  const isOpen = !webhookPost.isInternal(url) || caller.kind === "operator";
  if (isOpen && webhookPost.mayCall(url)) return;
  const own = caller.kind === "operator" ? ", or at a host of SIGNET_INTERNAL_HOSTS" : "";
  throw invalidField("url", `must be an https:// address of the public Internet${own}`);
}

/** Locks a webhook for a caller who may change it still. @throws {Failure} */
export async function lockForChange(
  tx: Queryable,
  caller: Caller,
  { siteId, id }: WebhookRef,
): Promise<void> {
  if (!(await lockWebhook(tx, siteId, id))) throw new Failure("webhook_not_found");
  await requireAdminNow(tx, siteId, caller);
  await requireKeyNow(tx, caller);
}

/** Reads a webhook. @throws {Failure} `webhook_not_found` */
export async function requireWebhook(tx: Queryable, { siteId, id }: WebhookRef): Promise<Webhook> {
  const webhook = await findWebhook(tx, siteId, id);
  if (!webhook) throw new Failure("webhook_not_found");
  return webhook;
}

/** What was asked for tells a repeat from another webhook with the same id. */
function requireSame(known: Webhook, { url, label }: WebhookSettings): Webhook {
  if (known.url !== url || known.label !== label) throw new Failure("id_taken");
  return known;
}
