import type { SiteId, UserId } from "../model/id.ts";
import { type Queryable, sql } from "./sql.ts";

/** Which mail a job sends. It carries ids alone: the worker mints the token when it renders. */
export interface MailJob {
  readonly mail: "verify_email" | "registered_already";
  readonly siteId: SiteId;
  readonly userId: UserId;
  /** Where the link leads on to in the end; empty: the Site's front end. */
  readonly redirectUrl: string;
}

/** The name of the task that sends mails. */
export const MAIL_TASK = "send_mail";

const ATTEMPTS_MAX = 25; // With graphile-worker's exponential delays: about three days.

/** Puts a mail into the queue, in the transaction of the act that it tells of. */
export async function addMailJob(db: Queryable, job: MailJob): Promise<void> {
  await db.query(sql`
    select graphile_worker.add_job(${MAIL_TASK}, ${JSON.stringify(job)}::json,
                                   max_attempts => ${ATTEMPTS_MAX})`);
}
