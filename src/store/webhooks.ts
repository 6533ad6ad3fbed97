import type { UserChangeKind } from "../model/change.ts";
import type { SiteId, WebhookId } from "../model/id.ts";
import type { Webhook, WebhookSettings, WebhookState } from "../model/webhook.ts";
import { fragment, type Queryable, sql } from "./sql.ts";
import { type AttemptColumns, toAttempt } from "./webhook-columns.ts";

interface WebhookRow extends AttemptColumns {
  readonly site_id: SiteId;
  readonly id: WebhookId;
  readonly version: number;
  readonly url: string;
  readonly label: string;
  readonly kinds: UserChangeKind[];
  readonly user_fields: string[];
  readonly state: WebhookState;
  readonly secret_time: Date;
  readonly old_secret_time: Date | null;
  readonly old_secret_expire_time: Date | null;
  readonly position: number;
  readonly pending_count: number;
  readonly fail_time: Date | null;
  readonly create_time: Date;
  readonly update_time: Date;
}

/** All of a webhook `w` but its secrets, with how far it has come. */
const COLUMNS = fragment`
  w.site_id, w.id, w.version, w.url, w.label, w.kinds, w.user_fields, w.state, w.secret_time,
  w.old_secret_time, w.old_secret_expire_time, w.attempt_time, w.attempt_ms, w.attempt_status,
  w.attempt_problem, w.fail_time, w.create_time, w.update_time,
  coalesce(waiting.first_position - 1, w.queued_position) as position, waiting.pending_count`;

const WAITING = fragment`
  cross join lateral (
    select min(d.position) as first_position, count(*) as pending_count
      from signet.webhook_deliveries d
     where d.site_id = w.site_id and d.webhook_id = w.id and d.state = 'pending') waiting`;

/** What a new webhook begins with. */
export interface NewWebhook extends WebhookSettings {
  readonly id: WebhookId;
  readonly secret: Buffer;
  /** The Site's head: what comes after is posted. */
  readonly queuedPosition: number;
  /** The last Change up to there that passes the filter. */
  readonly lastPosition: number;
}

/** Inserts a webhook with its sealed secret. Returns false if the id exists already. */
export async function insertWebhook(
  db: Queryable,
  siteId: SiteId,
  webhook: NewWebhook,
  now: Date,
): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    insert into signet.webhooks
           (site_id, id, url, label, kinds, user_fields, secret, secret_time, queued_position,
            last_position, create_time, update_time)
    values (${siteId}, ${webhook.id}, ${webhook.url}, ${webhook.label}, ${webhook.kinds},
            ${webhook.userFields}, ${webhook.secret}, ${now}, ${webhook.queuedPosition},
            ${webhook.lastPosition}, ${now}, ${now})
        on conflict (site_id, id) do nothing`);
  return rowCount === 1;
}

/** Counts the webhooks of the Site; until the transaction ends, nobody else creates one. */
export async function countWebhooks(db: Queryable, siteId: SiteId): Promise<number> {
  // Weak enough to let others insert what refers to the Site.
  await db.query(sql`select from signet.sites where id = ${siteId} for no key update`);
  const { rows } = await db.query<{ count: number }>(sql`
    select count(*) from signet.webhooks where site_id = ${siteId}`);
  return rows[0]?.count ?? 0;
}

/** Finds a webhook. */
export async function findWebhook(
  db: Queryable,
  siteId: SiteId,
  id: WebhookId,
): Promise<Webhook | undefined> {
  const { rows } = await db.query<WebhookRow>(sql`
    select ${COLUMNS} from signet.webhooks w ${WAITING}
     where w.site_id = ${siteId} and w.id = ${id}`);
  return rows[0] && toWebhook(rows[0]);
}

/** Lists at most `limit` webhooks of the Site in id order, starting after `after`. */
export async function listWebhooks(
  db: Queryable,
  siteId: SiteId,
  page: { readonly after: WebhookId | undefined; readonly limit: number },
): Promise<Webhook[]> {
  const { rows } = await db.query<WebhookRow>(sql`
    select ${COLUMNS} from signet.webhooks w ${WAITING}
     where w.site_id = ${siteId}
       and (${page.after ?? null}::uuid is null or w.id > ${page.after ?? null})
     order by w.id
     limit ${page.limit}`);
  return rows.map(toWebhook);
}

/** Locks a webhook against changes, and against the worker; false: there is none. */
export async function lockWebhook(db: Queryable, siteId: SiteId, id: WebhookId): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    select from signet.webhooks where site_id = ${siteId} and id = ${id} for no key update`);
  return rowCount === 1;
}

/** Replaces the settings of a webhook that the transaction has locked. */
export async function updateWebhook(
  db: Queryable,
  siteId: SiteId,
  { id, url, label, kinds, userFields, state }: WebhookSettings & Pick<Webhook, "id" | "state">,
  now: Date,
): Promise<void> {
  await db.query(sql`
    update signet.webhooks
       set url = ${url}, label = ${label}, kinds = ${kinds}, user_fields = ${userFields},
           state = ${state}, version = version + 1, update_time = ${now}
     where site_id = ${siteId} and id = ${id}`);
}

/** Forgets that the receiver has failed. */
export async function clearFailure(db: Queryable, siteId: SiteId, id: WebhookId): Promise<void> {
  await db.query(sql`
    update signet.webhooks set fail_time = null, resume_time = null
     where site_id = ${siteId} and id = ${id}`);
}

/** Puts a new sealed secret in front; the old one signs until it expires, or no more. */
export async function rotateSecret(
  db: Queryable,
  siteId: SiteId,
  id: WebhookId,
  { secret, expireTime, now }: { readonly secret: Buffer; expireTime: Date; readonly now: Date },
): Promise<void> {
  const oldIsLive = fragment`coalesce(w.old_secret_expire_time > ${now}, false)`;
  // While two sign, the newer one is replaced: its text may never have arrived.
  await db.query(sql`
    update signet.webhooks w
       set old_secret = case when ${oldIsLive} then w.old_secret else w.secret end,
           old_secret_time = case when ${oldIsLive} then w.old_secret_time else w.secret_time end,
           old_secret_expire_time = ${expireTime},
           secret = ${secret}, secret_time = ${now}, version = w.version + 1,
           update_time = ${now}
     where w.site_id = ${siteId} and w.id = ${id}`);
}

/** Deletes a webhook and what is left of its deliveries. Returns false if there is none. */
export async function deleteWebhook(
  db: Queryable,
  siteId: SiteId,
  id: WebhookId,
): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    delete from signet.webhooks where site_id = ${siteId} and id = ${id}`);
  return rowCount === 1;
}

/** The sealed secrets of a webhook that sign at a time, the newest first. */
export async function listSealedSecrets(
  db: Queryable,
  siteId: SiteId,
  id: WebhookId,
  now: Date,
): Promise<Buffer[]> {
  const { rows } = await db.query<{ secret: Buffer; old_secret: Buffer | null }>(sql`
    select secret, case when old_secret_expire_time > ${now} then old_secret end as old_secret
      from signet.webhooks where site_id = ${siteId} and id = ${id}`);
  return rows.flatMap(({ secret, old_secret }) => (old_secret ? [secret, old_secret] : [secret]));
}

/** The last Change before a position that passes a filter; 0: none of the 100,000 before it. */
export async function lastPassingBefore(
  db: Queryable,
  siteId: SiteId,
  kinds: readonly UserChangeKind[],
  position: number,
): Promise<number> {
  const { rows } = await db.query<{ position: number }>(sql`
    select c.position from signet.changes c
     where c.site_id = ${siteId} and c.position < ${position}
       and c.position >= ${position - SCANNED_MAX}
       and (cardinality(${kinds}::text[]) = 0
            or c.kind = any(${kinds}::text[]) or c.further_kinds && ${kinds}::text[])
     order by c.position desc
     limit 1`);
  return rows[0]?.position ?? 0;
}

const SCANNED_MAX = 100_000;

function toWebhook(row: WebhookRow): Webhook {
  const { old_secret_time, old_secret_expire_time } = row;
  const old =
    old_secret_time && old_secret_expire_time
      ? [{ createTime: old_secret_time, expireTime: old_secret_expire_time }]
      : [];
  return {
    siteId: row.site_id,
    id: row.id,
    version: row.version,
    url: row.url,
    label: row.label,
    kinds: row.kinds,
    userFields: row.user_fields,
    state: row.state,
    secrets: [{ createTime: row.secret_time, expireTime: undefined }, ...old],
    position: row.position,
    pendingCount: row.pending_count,
    lastAttempt: toAttempt(row),
    failTime: row.fail_time ?? undefined,
    createTime: row.create_time,
    updateTime: row.update_time,
  };
}
