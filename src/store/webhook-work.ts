import type { UserChangeKind } from "../model/change.ts";
import type { SiteId, UserId, WebhookId } from "../model/id.ts";
import type {
  DeliveryPlace,
  DeliveryState,
  WebhookAttempt,
  WebhookState,
} from "../model/webhook.ts";
import { type Queryable, sql } from "./sql.ts";

/** Names a webhook. */
export interface WebhookRef {
  readonly siteId: SiteId;
  readonly id: WebhookId;
}

/** A webhook as the worker sees it. */
export interface WorkingWebhook {
  readonly url: string;
  readonly kinds: readonly UserChangeKind[];
  readonly userFields: readonly string[];
  readonly state: WebhookState;
  readonly queuedPosition: number;
  readonly lastPosition: number;
  readonly failTime: Date | undefined;
  readonly resumeTime: Date | undefined;
  /** Sealed; those that sign now, the newest first. */
  readonly secrets: readonly Buffer[];
}

/** An attempt that has been taken on. */
export interface Claim extends DeliveryPlace {
  readonly previousPosition: number;
  readonly userId: UserId;
  readonly kind: UserChangeKind;
  readonly failures: number;
  readonly leaseId: string;
}

/** What becomes of a delivery after an attempt. */
export interface ClaimResult {
  readonly claim: Claim;
  readonly state: DeliveryState;
  /** Absent: none was made, since the Change is no longer kept. */
  readonly attempt: WebhookAttempt | undefined;
  /** Present where it is tried again. */
  readonly nextAttemptTime: Date | undefined;
}

/** Lists webhooks of any Sites for which there is something to do. Needs no Site. */
export async function listDueWebhooks(
  db: Queryable,
  now: Date,
  limit: number,
): Promise<WebhookRef[]> {
  const { rows } = await db.query<{ site_id: SiteId; id: WebhookId }>(sql`
    select site_id, id from signet.list_due_webhooks(${now}, ${limit}::integer)`);
  return rows.map(({ site_id: siteId, id }) => ({ siteId, id }));
}

/** Locks a webhook and reads it: one transaction at a time queues, takes on and notes results. */
export async function lockForWork(
  db: Queryable,
  { siteId, id }: WebhookRef,
  now: Date,
): Promise<WorkingWebhook | undefined> {
  const { rows } = await db.query<{
    url: string;
    kinds: UserChangeKind[];
    user_fields: string[];
    state: WebhookState;
    queued_position: number;
    last_position: number;
    fail_time: Date | null;
    resume_time: Date | null;
    secret: Buffer;
    old_secret: Buffer | null;
  }>(sql`
    select url, kinds, user_fields, state, queued_position, last_position, fail_time, resume_time,
           secret, case when old_secret_expire_time > ${now} then old_secret end as old_secret
      from signet.webhooks where site_id = ${siteId} and id = ${id}
       for no key update`);
  const [row] = rows;
  return (
    row && {
      url: row.url,
      kinds: row.kinds,
      userFields: row.user_fields,
      state: row.state,
      queuedPosition: row.queued_position,
      lastPosition: row.last_position,
      failTime: row.fail_time ?? undefined,
      resumeTime: row.resume_time ?? undefined,
      secrets: row.old_secret ? [row.secret, row.old_secret] : [row.secret],
    }
  );
}

/** What a webhook has not queued yet. */
export interface Backlog {
  readonly epoch: number;
  readonly head: number;
  /** The position before the first Change that is left; above `after` where some are lost. */
  readonly start: number;
}

/** Looks for the Changes of the Site after a position. */
export async function findBacklog(db: Queryable, siteId: SiteId, after: number): Promise<Backlog> {
  const { rows } = await db.query<Backlog>(sql`
    select s.epoch, coalesce(h.position, 0) as head,
           coalesce((select min(c.position) - 1 from signet.changes c
                      where c.site_id = ${siteId} and c.position > ${after}),
                    h.position, 0) as start
      from signet.change_state s
      left join signet.site_heads h on h.site_id = ${siteId}`);
  const [backlog] = rows;
  if (!backlog) throw new Error("the log has no state");
  return backlog;
}

/** Which Changes are to be queued: those in a range that pass the filter. */
export interface QueueRange {
  readonly kinds: readonly UserChangeKind[];
  readonly epoch: number;
  /** The range begins behind it. */
  readonly after: number;
  readonly upTo: number;
  /** The last Change up to `after` that passes the filter. */
  readonly lastPosition: number;
}

/** Queues the Changes of a range for a webhook that is locked, and moves it on. */
export async function queueDeliveries(
  db: Queryable,
  { siteId, id }: WebhookRef,
  { kinds, epoch, after, upTo, lastPosition }: QueueRange,
  now: Date,
): Promise<void> {
  await db.query(sql`
    with passing as materialized (
      select c.position, c.kind, c.further_kinds, c.user_id,
             coalesce(lag(c.position) over (order by c.position), ${lastPosition}) as previous,
             row_number() over (partition by c.user_id order by c.position) as turn
        from signet.changes c
       where c.site_id = ${siteId} and c.position > ${after} and c.position <= ${upTo}
         and (cardinality(${kinds}::text[]) = 0
              or c.kind = any(${kinds}::text[]) or c.further_kinds && ${kinds}::text[])
    ), queued as (
      insert into signet.webhook_deliveries
             (site_id, webhook_id, position, epoch, previous_position, kind, further_kinds, user_id,
              next_attempt_time, create_time)
      select ${siteId}, ${id}, p.position, ${epoch}, p.previous, p.kind, p.further_kinds, p.user_id,
             case when p.turn = 1 and not exists (
                    select from signet.webhook_deliveries d
                     where d.site_id = ${siteId} and d.webhook_id = ${id}
                       and d.user_id = p.user_id and d.state = 'pending')
                  then ${now}::timestamptz end,
             ${now}
        from passing p
          on conflict (site_id, webhook_id, position) do nothing
    )
    update signet.webhooks
       set queued_position = ${upTo},
           last_position = coalesce((select max(p.position) from passing p), ${lastPosition})
     where site_id = ${siteId} and id = ${id}`);
}

/** When the next delivery that waits is due, whatever else there is; undefined: none is. */
export async function nextDueTime(
  db: Queryable,
  { siteId, id }: WebhookRef,
): Promise<Date | undefined> {
  const { rows } = await db.query<{ time: Date | null }>(sql`
    select min(next_attempt_time) as time from signet.webhook_deliveries
     where site_id = ${siteId} and webhook_id = ${id}
       and state = 'pending' and next_attempt_time is not null`);
  return rows[0]?.time ?? undefined;
}

/**
 * Takes on attempts that are due, so that at most `underWayMax` are under way at once. Whether a
 * lease has ended goes by the database's clock: that of another process may be ahead of the one
 * that has taken the attempt on, which it would make a second time meanwhile.
 */
export async function claimDeliveries(
  db: Queryable,
  { siteId, id }: WebhookRef,
  lease: { readonly id: string; readonly ms: number; readonly underWayMax: number },
  now: Date,
): Promise<Claim[]> {
  const { rows } = await db.query<{
    position: number;
    epoch: number;
    previous_position: number;
    user_id: UserId;
    kind: UserChangeKind;
    failures: number;
  }>(sql`
    update signet.webhook_deliveries d
       set lease_id = ${lease.id}, attempts = d.attempts + 1,
           next_attempt_time = now() + ${lease.ms} * interval '1 millisecond'
     where d.site_id = ${siteId} and d.webhook_id = ${id}
       -- As an array it is looked up once, and not again for each row that a plan may try.
       and d.position = any (array(
             select w.position from signet.webhook_deliveries w
              where w.site_id = ${siteId} and w.webhook_id = ${id}
                and w.state = 'pending' and w.next_attempt_time <= ${now}
                and (w.lease_id is null or w.next_attempt_time <= now())
              order by w.next_attempt_time, w.position
              limit greatest(0, ${lease.underWayMax} - (
                select count(*) from signet.webhook_deliveries u
                 where u.site_id = ${siteId} and u.webhook_id = ${id}
                   and u.lease_id is not null and u.next_attempt_time > now()))))
    returning d.position, d.epoch, d.previous_position, d.user_id, d.kind, d.failures`);
  return rows
    .map((row) => ({
      position: row.position,
      epoch: row.epoch,
      previousPosition: row.previous_position,
      userId: row.user_id,
      kind: row.kind,
      failures: row.failures,
      leaseId: lease.id,
    }))
    .sort((one, other) => one.position - other.position);
}

/** Notes what came of attempts; those that were taken for lost meanwhile are somebody else's. */
export async function noteResults(
  db: Queryable,
  { siteId, id }: WebhookRef,
  results: readonly ClaimResult[],
  now: Date,
): Promise<void> {
  await db.query(sql`
    update signet.webhook_deliveries d
       set state = g.state, lease_id = null, next_attempt_time = g.next_attempt_time,
           failures = d.failures + (g.state <> 'delivered' and g.attempt_time is not null)::integer,
           end_time = case when g.state <> 'pending' then ${now}::timestamptz end,
           attempt_time = coalesce(g.attempt_time, d.attempt_time),
           attempt_ms = coalesce(g.attempt_ms, d.attempt_ms),
           attempt_status = coalesce(g.attempt_status, d.attempt_status),
           attempt_problem = coalesce(g.attempt_problem, d.attempt_problem)
      from unnest(${results.map(({ claim }) => claim.position)}::bigint[],
                  ${results.map(({ claim }) => claim.leaseId)}::uuid[],
                  ${results.map(({ state }) => state)}::text[],
                  ${results.map(({ nextAttemptTime }) => nextAttemptTime)}::timestamptz[],
                  ${results.map(({ attempt }) => attempt?.sendTime)}::timestamptz[],
                  ${results.map(({ attempt }) => attempt?.durationMs)}::integer[],
                  ${results.map(({ attempt }) => attempt?.status)}::integer[],
                  ${results.map(({ attempt }) => attempt && (attempt.problem ?? ""))}::text[])
           as g (position, lease_id, state, next_attempt_time, attempt_time, attempt_ms,
                 attempt_status, attempt_problem)
     where d.site_id = ${siteId} and d.webhook_id = ${id} and d.position = g.position
       and d.position = any (${results.map(({ claim }) => claim.position)}::bigint[])
       and d.lease_id = g.lease_id and d.state = 'pending'`);
}

/** Gives the first delivery that waits of each of these Users its turn. */
export async function releaseUsers(
  db: Queryable,
  { siteId, id }: WebhookRef,
  userIds: readonly UserId[],
  now: Date,
): Promise<void> {
  await db.query(sql`
    update signet.webhook_deliveries d
       set next_attempt_time = ${now}
     where d.site_id = ${siteId} and d.webhook_id = ${id} and d.next_attempt_time is null
       and d.position = any (array(
             select min(w.position) from signet.webhook_deliveries w
              where w.site_id = ${siteId} and w.webhook_id = ${id} and w.state = 'pending'
                and w.user_id = any(${userIds}::uuid[])
              group by w.user_id))`);
}

/** What attempts have shown of the receiver. */
export interface ReceiverNews {
  readonly state: WebhookState;
  readonly lastAttempt: WebhookAttempt;
  readonly failTime: Date | undefined;
  readonly resumeTime: Date | undefined;
}

/** Notes how the receiver of a webhook is doing. */
export async function noteReceiver(
  db: Queryable,
  { siteId, id }: WebhookRef,
  { state, lastAttempt, failTime, resumeTime }: ReceiverNews,
): Promise<void> {
  await db.query(sql`
    update signet.webhooks
       set state = ${state}, fail_time = ${failTime}, resume_time = ${resumeTime},
           attempt_time = ${lastAttempt.sendTime}, attempt_ms = ${lastAttempt.durationMs},
           attempt_status = ${lastAttempt.status}, attempt_problem = ${lastAttempt.problem ?? ""}
     where site_id = ${siteId} and id = ${id}`);
}
