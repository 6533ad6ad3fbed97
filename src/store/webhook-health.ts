import type { SiteId, WebhookId } from "../model/id.ts";
import type { WebhookFacts, WebhookState } from "../model/webhook.ts";
import { type Queryable, sql } from "./sql.ts";

/** Returns how each webhook of the Site is doing; `deadSince` bounds what was given up. */
export async function listWebhookFacts(
  db: Queryable,
  siteId: SiteId,
  deadSince: Date,
): Promise<WebhookFacts[]> {
  const { rows } = await db.query<{
    id: WebhookId;
    state: WebhookState;
    pending: number;
    failing: number;
    dead: number;
    waiting_since: Date | null;
  }>(sql`
    select w.id, w.state, waiting.pending, waiting.failing, given_up.dead,
           least(waiting.since, unqueued.since) as waiting_since
      from signet.webhooks w
      cross join lateral (
        select count(*) as pending, count(*) filter (where d.failures > 0) as failing,
               min(d.create_time) as since
          from signet.webhook_deliveries d
         where d.site_id = w.site_id and d.webhook_id = w.id and d.state = 'pending') waiting
      cross join lateral (
        select count(*) as dead from signet.webhook_deliveries d
         where d.site_id = w.site_id and d.webhook_id = w.id
           and d.state = 'dead' and d.end_time >= ${deadSince}) given_up
      left join lateral (
        select c.commit_time as since from signet.changes c
         where c.site_id = w.site_id and c.position > w.queued_position
         order by c.position limit 1) unqueued on true
     where w.site_id = ${siteId}
     order by w.id`);
  return rows.map(({ waiting_since: waitingSince, ...row }) => ({
    ...row,
    waitingSince: waitingSince ?? undefined,
  }));
}
