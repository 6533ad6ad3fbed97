import { LIMITS } from "../model/limits.ts";
import { listLeftWebhooks } from "../store/site-deletion.ts";
import { deleteDeliveries } from "../store/webhook-deliveries.ts";
import type { WebhookRef } from "../store/webhook-work.ts";
import { deleteWebhook } from "../store/webhooks.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";

type LeftDeps = Pick<Deps, "db" | "clock">;

const DAY_MS = 86_400_000;

/**
 * Removes webhooks of Sites whose Users are all deleted, with their secrets and deliveries, once
 * they have posted the deletions or have had the time for it. Returns how many; wherever it stops,
 * the next run goes on.
 */
export async function removeLeftWebhooks(deps: LeftDeps, signal?: AbortSignal): Promise<number> {
  const across = { query: deps.db.acrossSites };
  const endedBefore = new Date(deps.clock.now().getTime() - LIMITS.leftWebhookDays * DAY_MS);
  let removed = 0;
  while (!signal?.aborted) {
    const [webhook] = await listLeftWebhooks(across, endedBefore, 1);
    if (!webhook) break;
    while (!(await removeNext(deps, webhook))) if (signal?.aborted) return removed;
    removed += 1;
  }
  return removed;
}

/** Removes some of a webhook; answers whether that was the last of it. */
async function removeNext({ db, clock }: LeftDeps, webhook: WebhookRef): Promise<boolean> {
  const { siteId, id } = webhook;
  const limit = LIMITS.deletedDeliveriesMax;
  return await db.inSite(siteId, async (tx) => {
    if ((await deleteDeliveries(tx, webhook, limit)) === limit) return false;
    // Somebody else may have been faster.
    if (!(await deleteWebhook(tx, siteId, id))) return true;
    const act = { kind: "webhook.deleted", subjectId: id };
    await recordAct(tx, siteId, { kind: "system" }, act, clock.now());
    return true;
  });
}
