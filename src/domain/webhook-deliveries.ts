import type { Caller } from "../model/caller.ts";
import type { SiteHead } from "../model/change.ts";
import { Failure, invalidField } from "../model/failure.ts";
import { LIMITS } from "../model/limits.ts";
import { readEventId, type WebhookDelivery } from "../model/webhook.ts";
import { findSiteHead } from "../store/changes.ts";
import type { Queryable } from "../store/sql.ts";
import {
  type DeliveryFilter,
  hasDelivery,
  listDeliveries as listStoredDeliveries,
  orderTurns,
  requeueDelivery,
  requeueRange,
} from "../store/webhook-deliveries.ts";
import { lockForWork, type WebhookRef } from "../store/webhook-work.ts";
import { lastPassingBefore } from "../store/webhooks.ts";
import { recordAct } from "./audit.ts";
import { forEachPart } from "./webhook-parts.ts";
import { lockForChange, requireWebhook, type WebhookDeps } from "./webhooks.ts";

/** Positions of Changes. */
export interface PositionRange {
  readonly first: number;
  /** Absent: the head. */
  readonly last: number | undefined;
  readonly undeliveredOnly: boolean;
}

/** What is delivered again: one delivery by its id, or a range of Changes. */
export type Redelivery = { readonly id: string } | PositionRange;

/** Lists deliveries. @throws {Failure} `site_not_found`, `webhook_not_found` */
export async function listDeliveries(
  { db, sites }: WebhookDeps,
  ref: WebhookRef,
  filter: DeliveryFilter,
  page: { readonly before: number | undefined; readonly limit: number },
): Promise<WebhookDelivery[]> {
  await sites.get(ref.siteId);
  return await db.inSite(
    ref.siteId,
    async (tx) => {
      await requireWebhook(tx, ref);
      return await listStoredDeliveries(tx, ref, filter, page);
    },
    { readOnly: true },
  );
}

/**
 * Queues deliveries again, all or none; returns how many. What waits already is left alone.
 *
 * @throws {Failure} `site_not_found`, `webhook_not_found`, `delivery_not_found`; `cursor_expired`
 *   where the Changes are no longer kept; `invalid_field` for a range that is too long or empty.
 */
export async function redeliver(
  { db, clock, sites }: WebhookDeps,
  caller: Caller,
  ref: WebhookRef,
  wanted: Redelivery,
): Promise<number> {
  await sites.get(ref.siteId);
  return await db.inSite(ref.siteId, async (tx) => {
    const now = clock.now();
    await lockForChange(tx, caller, ref);
    const queued =
      "id" in wanted
        ? await requeueOne(tx, ref, wanted.id, now)
        : await requeueSome(tx, ref, wanted, now);
    if (queued > 0) {
      await forEachPart(tx, ref, (part) => orderTurns(tx, ref, part, now));
      const details = { deliveries: queued };
      const act = { kind: "webhook.redelivered", subjectId: ref.id, details };
      await recordAct(tx, ref.siteId, caller, act, now);
    }
    return queued;
  });
}

async function requeueOne(tx: Queryable, ref: WebhookRef, id: string, now: Date): Promise<number> {
  const place = readEventId(ref.id, id);
  if (!place || !(await hasDelivery(tx, ref, place))) throw new Failure("delivery_not_found");
  requireKept(await findSiteHead(tx, ref.siteId), place.position);
  return (await requeueDelivery(tx, ref, place.position, now)) ? 1 : 0;
}

/** What has not been queued for the first time yet will be, and is left out. */
async function requeueSome(
  tx: Queryable,
  ref: WebhookRef,
  { first, last, undeliveredOnly }: PositionRange,
  now: Date,
): Promise<number> {
  const { siteId } = ref;
  const head = await findSiteHead(tx, siteId);
  const webhook = await lockForWork(tx, ref, now);
  if (!webhook) throw new Failure("webhook_not_found");
  const { kinds, queuedPosition } = webhook;
  const upTo = Math.min(last ?? head.position, head.position, queuedPosition);
  if (upTo - first >= LIMITS.redeliveredPositionsMax) {
    const problem = `must cover at most ${LIMITS.redeliveredPositionsMax} positions`;
    throw invalidField("range", problem);
  }
  if (first > upTo) return 0;
  requireKept(head, first);
  let queued = 0;
  for (let after = first - 1; after < upTo; after += LIMITS.changedDeliveriesMax) {
    const lastPosition = await lastPassingBefore(tx, siteId, kinds, after + 1);
    const end = Math.min(upTo, after + LIMITS.changedDeliveriesMax);
    const range = { kinds, epoch: head.epoch, after, upTo: end, lastPosition };
    queued += await requeueRange(tx, ref, range, { undeliveredOnly, now });
  }
  return queued;
}

function requireKept({ oldestPosition }: SiteHead, position: number): void {
  if (position >= oldestPosition) return;
  throw new Failure("cursor_expired", { oldest_position: String(oldestPosition) });
}
