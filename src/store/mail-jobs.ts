import type { EmailChangeId, SessionId, SiteId, UserId } from "../model/id.ts";
import { traceHeaders } from "../model/tracing.ts";
import { enqueue, hot, type Queryable, sql } from "./sql.ts";

/** A mail with a link; the worker mints the token when it renders. */
export interface LinkMailJob {
  readonly mail: "verify_email" | "reset_password" | "accept_invitation";
  readonly siteId: SiteId;
  readonly userId: UserId;
  /** Where the link leads on to in the end; empty: the Site's front end. */
  readonly redirectUrl: string;
}

/** A mail about a change of address, to the new address or to the old one. */
export interface EmailChangeMailJob {
  readonly mail: "change_email" | "email_changed";
  readonly siteId: SiteId;
  readonly userId: UserId;
  readonly emailChangeId: EmailChangeId;
}

/** A mail about a login from a device not seen before. */
export interface NewDeviceMailJob {
  readonly mail: "new_device";
  readonly siteId: SiteId;
  readonly userId: UserId;
  readonly sessionId: SessionId;
}

/** A mail that tells the User, at the present address, what has happened. */
export interface NoticeMailJob {
  readonly mail:
    | "registered_already"
    | "email_change_taken"
    | "password_changed"
    | "mfa_changed"
    | "recovery_codes_changed"
    | "account_locked";
  readonly siteId: SiteId;
  readonly userId: UserId;
}

/** Which mail a job sends. It carries ids alone, never an address, a link or a token. */
export type MailJob = LinkMailJob | EmailChangeMailJob | NewDeviceMailJob | NoticeMailJob;

/** The name of the task that sends mails. */
export const MAIL_TASK = "send_mail";

const ATTEMPTS_MAX = 25; // With graphile-worker's exponential delays: about four days.

/** Puts a mail into the queue, in the transaction of the act that it tells of. */
export async function addMailJob(db: Queryable, job: MailJob): Promise<void> {
  const payload = JSON.stringify({ ...job, ...traceHeaders() });
  const statement = hot`
    select graphile_worker.add_job(${MAIL_TASK}, ${payload}::json,
                                   max_attempts => ${ATTEMPTS_MAX})`;
  await enqueue(db, statement);
}

/**
 * Has mails of a Site tried anew that have used up their attempts, the oldest first and at most
 * `limit` of them. Returns how many. The queue works across Sites, and so is asked for one.
 */
export async function retryDeadMails(
  db: Queryable,
  siteId: SiteId,
  limit: number,
): Promise<number> {
  const { rows } = await db.query<{ retried: number }>(sql`
    select count(*) as retried
      from graphile_worker.reschedule_jobs(
             array(select j.id
                     from graphile_worker._private_jobs j
                     join graphile_worker._private_tasks t on t.id = j.task_id
                    where t.identifier = ${MAIL_TASK}
                      and j.payload ->> 'siteId' = ${siteId}
                      and j.attempts >= j.max_attempts
                    order by j.id
                    limit ${limit}),
             run_at => now(), attempts => 0)`);
  return rows[0]?.retried ?? 0;
}
