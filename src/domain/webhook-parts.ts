import { LIMITS } from "../model/limits.ts";
import type { Queryable } from "../store/sql.ts";
import { countPending, type UserPart } from "../store/webhook-deliveries.ts";
import type { WebhookRef } from "../store/webhook-work.ts";

/**
 * Does something to all that waits for a webhook, User by User in as many parts as it takes for
 * each statement to be short.
 */
export async function forEachPart(
  tx: Queryable,
  ref: WebhookRef,
  work: (part: UserPart) => Promise<void>,
): Promise<void> {
  const count = Math.ceil((await countPending(tx, ref)) / LIMITS.changedDeliveriesMax);
  for (let index = 0; index < count; index += 1) await work({ index, count });
}
