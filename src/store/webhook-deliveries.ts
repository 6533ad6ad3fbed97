import type { UserChangeKind } from "../model/change.ts";
import type { UserId, WebhookId } from "../model/id.ts";
import type { DeliveryPlace, DeliveryState, WebhookDelivery } from "../model/webhook.ts";
import { fragment, type Queryable, sql } from "./sql.ts";
import { type AttemptColumns, toAttempt } from "./webhook-columns.ts";
import type { QueueRange, WebhookRef } from "./webhook-work.ts";

interface DeliveryRow extends AttemptColumns {
  readonly webhook_id: WebhookId;
  readonly position: number;
  readonly epoch: number;
  readonly kind: UserChangeKind;
  readonly user_id: UserId;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly next_attempt_time: Date | null;
  readonly create_time: Date;
}

const COLUMNS = fragment`
  webhook_id, position, epoch, kind, user_id, state, attempts, next_attempt_time, attempt_time,
  attempt_ms, attempt_status, attempt_problem, create_time`;

/** Which deliveries are meant. */
export interface DeliveryFilter {
  /** Empty: in any. */
  readonly states: readonly DeliveryState[];
  /** Absent: about anyone. */
  readonly userId: UserId | undefined;
}

/** Lists deliveries of a webhook, the newest Change first, before a position. */
export async function listDeliveries(
  db: Queryable,
  { siteId, id }: WebhookRef,
  { states, userId }: DeliveryFilter,
  page: { readonly before: number | undefined; readonly limit: number },
): Promise<WebhookDelivery[]> {
  const { rows } = await db.query<DeliveryRow>(sql`
    select ${COLUMNS} from signet.webhook_deliveries
     where site_id = ${siteId} and webhook_id = ${id}
       and position < coalesce(${page.before ?? null}::bigint, 9223372036854775807)
       and (cardinality(${states}::text[]) = 0 or state = any(${states}::text[]))
       and (${userId ?? null}::uuid is null or user_id = ${userId ?? null})
     order by position desc
     limit ${page.limit}`);
  return rows.map((row) => ({
    webhookId: row.webhook_id,
    position: row.position,
    epoch: row.epoch,
    kind: row.kind,
    userId: row.user_id,
    state: row.state,
    attemptCount: row.attempts,
    lastAttempt: toAttempt(row),
    nextAttemptTime: row.next_attempt_time ?? undefined,
    createTime: row.create_time,
  }));
}

/** Deletes at most `limit` deliveries of a webhook, whatever their state; returns how many. */
export async function deleteDeliveries(
  db: Queryable,
  { siteId, id }: WebhookRef,
  limit: number,
): Promise<number> {
  const { rowCount } = await db.query(sql`
    delete from signet.webhook_deliveries
     where site_id = ${siteId} and webhook_id = ${id}
       and position in (select d.position from signet.webhook_deliveries d
                         where d.site_id = ${siteId} and d.webhook_id = ${id} limit ${limit})`);
  return rowCount ?? 0;
}

/** Some of the Users, so that one statement does not have to do with all that waits. */
export interface UserPart {
  readonly index: number;
  readonly count: number;
}

/** Whether a delivery is about one of these Users. */
const isIn = ({ index, count }: UserPart) =>
  fragment`(hashtext(user_id::text) & 2147483647) % ${count}::integer = ${index}`;

/** Counts what waits. */
export async function countPending(db: Queryable, { siteId, id }: WebhookRef): Promise<number> {
  const { rows } = await db.query<{ count: number }>(sql`
    select count(*) from signet.webhook_deliveries
     where site_id = ${siteId} and webhook_id = ${id} and state = 'pending'`);
  return rows[0]?.count ?? 0;
}

/** Removes what waits and does not pass a new filter any more. */
export async function dropFiltered(
  db: Queryable,
  { siteId, id }: WebhookRef,
  kinds: readonly UserChangeKind[],
  part: UserPart,
): Promise<void> {
  await db.query(sql`
    delete from signet.webhook_deliveries
     where site_id = ${siteId} and webhook_id = ${id} and state = 'pending'
       and ${isIn(part)} and cardinality(${kinds}::text[]) > 0
       and not (kind = any(${kinds}::text[]) or further_kinds && ${kinds}::text[])`);
}

/** Gives up what waits. */
export async function giveUpPending(
  db: Queryable,
  { siteId, id }: WebhookRef,
  part: UserPart,
  now: Date,
): Promise<void> {
  await db.query(sql`
    update signet.webhook_deliveries
       set state = 'dead', end_time = ${now}, next_attempt_time = null, lease_id = null
     where site_id = ${siteId} and webhook_id = ${id} and state = 'pending' and ${isIn(part)}`);
}

/** Has what waits be tried anew, at once and as if it had never failed. */
export async function hurryPending(
  db: Queryable,
  { siteId, id }: WebhookRef,
  part: UserPart,
  now: Date,
): Promise<void> {
  await db.query(sql`
    update signet.webhook_deliveries
       set failures = 0, next_attempt_time = ${now}
     where site_id = ${siteId} and webhook_id = ${id} and state = 'pending' and ${isIn(part)}
       and next_attempt_time is not null and lease_id is null`);
}

/** Goes on at a position. */
export async function moveQueue(
  db: Queryable,
  { siteId, id }: WebhookRef,
  place: { readonly queuedPosition: number; readonly lastPosition: number },
): Promise<void> {
  await db.query(sql`
    update signet.webhooks
       set queued_position = greatest(queued_position, ${place.queuedPosition}),
           last_position = greatest(last_position, ${place.lastPosition})
     where site_id = ${siteId} and id = ${id}`);
}

/** Tells whether a webhook has a delivery. */
export async function hasDelivery(
  db: Queryable,
  { siteId, id }: WebhookRef,
  { epoch, position }: DeliveryPlace,
): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    select from signet.webhook_deliveries
     where site_id = ${siteId} and webhook_id = ${id}
       and position = ${position} and epoch = ${epoch}`);
  return rowCount === 1;
}

/** Queues a delivery again; false: it waits already. */
export async function requeueDelivery(
  db: Queryable,
  { siteId, id }: WebhookRef,
  position: number,
  now: Date,
): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    update signet.webhook_deliveries
       set state = 'pending', failures = 0, end_time = null, create_time = ${now}
     where site_id = ${siteId} and webhook_id = ${id} and position = ${position}
       and state <> 'pending'`);
  return rowCount === 1;
}

/**
 * Queues a range of Changes again, the ones that were never queued too; returns how many. Those
 * that wait already are left alone.
 */
export async function requeueRange(
  db: Queryable,
  { siteId, id }: WebhookRef,
  { kinds, epoch, after, upTo, lastPosition }: QueueRange,
  { undeliveredOnly, now }: { readonly undeliveredOnly: boolean; readonly now: Date },
): Promise<number> {
  const { rowCount } = await db.query(sql`
    insert into signet.webhook_deliveries as d
           (site_id, webhook_id, position, epoch, previous_position, kind, further_kinds, user_id,
            create_time)
    select ${siteId}, ${id}, c.position, ${epoch},
           coalesce(lag(c.position) over (order by c.position), ${lastPosition}), c.kind,
           c.further_kinds, c.user_id, ${now}
      from signet.changes c
     where c.site_id = ${siteId} and c.position > ${after} and c.position <= ${upTo}
       and (cardinality(${kinds}::text[]) = 0
            or c.kind = any(${kinds}::text[]) or c.further_kinds && ${kinds}::text[])
        on conflict (site_id, webhook_id, position) do update
       set state = 'pending', failures = 0, end_time = null, create_time = excluded.create_time
     where d.state = 'dead' or d.state = 'delivered' and not ${undeliveredOnly}`);
  return rowCount ?? 0;
}

/** Gives each User's first delivery that waits its turn, and takes it from those behind. */
export async function orderTurns(
  db: Queryable,
  { siteId, id }: WebhookRef,
  part: UserPart,
  now: Date,
): Promise<void> {
  await db.query(sql`
    with ranked as materialized (
      select w.position, w.next_attempt_time, w.lease_id,
             row_number() over (partition by w.user_id order by w.position) as turn
        from signet.webhook_deliveries w
       where w.site_id = ${siteId} and w.webhook_id = ${id} and w.state = 'pending'
         and ${isIn(part)})
    update signet.webhook_deliveries d
       set next_attempt_time = case when d.next_attempt_time is null then ${now}::timestamptz end
     where d.site_id = ${siteId} and d.webhook_id = ${id}
       and d.position = any (array(
             select r.position from ranked r
              where r.lease_id is null and (r.turn = 1) = (r.next_attempt_time is null)))`);
}

/** Removes deliveries of all Sites that are over and older than `days`; returns how many. */
export async function removeDeliveries(
  db: Queryable,
  { days, limit }: { readonly days: number; readonly limit: number },
): Promise<number> {
  const { rows } = await db.query<{ count: number }>(sql`
    select signet.remove_webhook_deliveries(${days}::integer, ${limit}::integer) as count`);
  return rows[0]?.count ?? 0;
}
