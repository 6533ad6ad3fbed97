import { createHash } from "node:crypto";
import type { EmailAddress } from "../model/email-address.ts";
import { LIMITS } from "../model/limits.ts";
import type { MailTemplate } from "../model/mail-template.ts";
import type { OneTimePurpose } from "../model/one-time.ts";
import type { Secret } from "../model/secret.ts";
import type { Site } from "../model/site.ts";
import type { User } from "../model/user.ts";
import { findEmailChange } from "../store/email-changes.ts";
import { countMail } from "../store/mail-counts.ts";
import type {
  EmailChangeMailJob,
  LinkMailJob,
  MailJob,
  NewDeviceMailJob,
  NoticeMailJob,
} from "../store/mail-jobs.ts";
import { listMailTemplates } from "../store/mail-templates.ts";
import { findSession } from "../store/sessions.ts";
import type { Queryable } from "../store/sql.ts";
import { findUser } from "../store/users.ts";
import type { Deps } from "./deps.ts";
import { lifetimeSecondsOf, mintOneTimeToken } from "./one-time.ts";

/** What a mail of a job says, and to whom; its token is made now and was never stored. */
export type PreparedMail = {
  readonly site: Site;
  readonly to: EmailAddress;
  /** The User's own; empty: the Site's. */
  readonly locale: string;
  /** The Site's own words for this mail. */
  readonly templates: readonly MailTemplate[];
} & (
  | { readonly mail: OneTimePurpose; readonly token: Secret; readonly lifetimeSeconds: number }
  | { readonly mail: NoticeMailJob["mail"] | "email_changed" }
  | { readonly mail: "new_device"; readonly ip: string; readonly time: Date }
);

/** What makes a mail of a job, within one transaction. */
interface Making {
  readonly deps: Deps;
  readonly tx: Queryable;
  readonly site: Site;
  readonly user: User;
  readonly now: Date;
  readonly firstAttempt: boolean;
}

/**
 * Prepares the mail of a job. Returns undefined where there is nothing left to send: the User
 * was deleted, has done meanwhile what the mail asks for, or the address has had its fill.
 */
export async function prepareMail(
  deps: Deps,
  job: MailJob,
  { firstAttempt }: { readonly firstAttempt: boolean },
): Promise<PreparedMail | undefined> {
  const { siteId, userId } = job;
  const { site } = await deps.sites.get(siteId);
  return await deps.db.inSite(siteId, async (tx) => {
    const user = await findUser(tx, siteId, { by: "id", id: userId });
    if (!user || user.state === "deleted") return undefined;
    const making = { deps, tx, site, user, now: deps.clock.now(), firstAttempt };
    const mail = await makeMail(making, job);
    return mail && { ...mail, templates: await listMailTemplates(tx, siteId, job.mail) };
  });
}

async function makeMail(making: Making, job: MailJob) {
  switch (job.mail) {
    case "verify_email":
    case "reset_password":
    case "accept_invitation":
      return await linkMail(making, job);
    case "change_email":
    case "email_changed":
      return await emailChangeMail(making, job);
    case "new_device":
      return await newDeviceMail(making, job);
    default:
      return await noticeMail(making, job);
  }
}

/** Whether the User still needs what the link leads to. */
const STILL_WANTED: Readonly<Record<LinkMailJob["mail"], (user: User) => boolean>> = {
  verify_email: ({ state, emailVerified }) => state === "active" && !emailVerified,
  reset_password: ({ state }) => state === "active",
  accept_invitation: ({ state }) => state === "invited",
};

async function linkMail(making: Making, { mail, redirectUrl }: LinkMailJob) {
  const { email } = making.user;
  if (!email || !STILL_WANTED[mail](making.user)) return undefined;
  return await withToken(making, mail, email, redirectUrl);
}

async function emailChangeMail(making: Making, { mail, emailChangeId }: EmailChangeMailJob) {
  const { tx, site, user } = making;
  const change = await findEmailChange(tx, site.id, emailChangeId);
  if (!change) return undefined;
  if (mail === "email_changed") {
    const { oldEmail: to } = change;
    return to && { mail, site, to, locale: user.locale };
  }
  if (change.confirmed || user.state !== "active") return undefined;
  return await withToken(making, mail, change.newEmail, change.redirectUrl);
}

async function newDeviceMail({ tx, site, user }: Making, { mail, sessionId }: NewDeviceMailJob) {
  const session = await findSession(tx, site.id, sessionId);
  if (!session || !user.email) return undefined;
  const { client, createTime: time } = session;
  return { mail, site, to: user.email, locale: user.locale, ip: client.ip, time };
}

/** Anybody can cause these by naming the address; the others take a User's own act. */
const CAUSED_BY_ANYBODY: readonly NoticeMailJob["mail"][] = [
  "account_locked",
  "registered_already",
  "email_change_taken",
];

async function noticeMail(making: Making, { mail }: NoticeMailJob) {
  const { site, user } = making;
  if (!user.email) return undefined;
  if (CAUSED_BY_ANYBODY.includes(mail) && !(await isWithinLimit(making, user.email))) {
    return undefined;
  }
  return { mail, site, to: user.email, locale: user.locale };
}

async function withToken(
  making: Making,
  mail: OneTimePurpose,
  to: EmailAddress,
  redirectUrl: string,
) {
  const { tx, site, user, now } = making;
  if (!(await isWithinLimit(making, to))) return undefined;
  const grant = { purpose: mail, userId: user.id, email: to, redirectUrl };
  const { text: token } = await mintOneTimeToken(tx, site, grant, now);
  const lifetimeSeconds = lifetimeSecondsOf(site, mail);
  return { mail, site, to, locale: user.locale, token, lifetimeSeconds };
}

/** Counts the mail, once for all its attempts, and tells whether the address may have it. */
async function isWithinLimit(making: Making, to: EmailAddress): Promise<boolean> {
  const { tx, site, now, firstAttempt } = making;
  if (!firstAttempt) return true;
  const digest = createHash("sha256").update(`${site.id}/${to}`).digest();
  const windowEnd = new Date(now.getTime() + LIMITS.mailWindowMs);
  return (await countMail(tx, site.id, digest, { now, windowEnd })) <= LIMITS.mailsPerWindowMax;
}
