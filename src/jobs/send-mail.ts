import type { Deps } from "../domain/deps.ts";
import { type PreparedMail, prepareMail } from "../domain/verification-mail.ts";
import { MailError, type Mailer, type MailSender } from "../mail/mailer.ts";
import { registeredAlreadyMessage } from "../mail/messages/registered-already.ts";
import { verifyEmailMessage } from "../mail/messages/verify-email.ts";
import { type EmailAddress, parseEmailAddress } from "../model/email-address.ts";
import { Failure } from "../model/failure.ts";
import type { HttpUrl } from "../model/url.ts";
import type { MailJob } from "../store/mail-jobs.ts";

/** The page of a Site's front end that takes the token of the mail. */
const VERIFY_PATH = "verify-email";

/** What the job needs besides the rules. */
export interface MailDeps {
  readonly deps: Deps;
  readonly mailer: Mailer;
  /** The sender of Sites that have none of their own. */
  readonly defaultSender: MailSender;
}

/**
 * Sends the mail of a job: makes the token, renders, hands over. The mail's id is the job's, so
 * that one that is sent again after a crash is recognised.
 *
 * Throws to have the job tried again; a mail that can never be sent ends the job instead.
 */
export async function sendMail(shared: MailDeps, jobId: string, job: MailJob): Promise<void> {
  const prepared = await prepareMail(shared.deps, job).catch((error: unknown) => {
    if (error instanceof Failure && error.reason === "site_not_found") return undefined;
    throw error;
  });
  if (!prepared) return;
  const { site, user } = prepared;
  await shared.mailer.send({
    id: `${job.mail.replaceAll("_", "-")}.${jobId}`,
    from: senderOf(shared.defaultSender, prepared),
    to: user.email as EmailAddress, // prepareMail leaves out Users without one.
    content: contentOf(prepared, [user.locale || undefined, site.locale]),
  });
}

/** Tells whether another try is useless, as for a recipient who does not exist. */
export function isPermanent(error: unknown): boolean {
  return error instanceof MailError && error.permanent;
}

function contentOf(prepared: PreparedMail, locales: readonly (string | undefined)[]) {
  const { site } = prepared;
  switch (prepared.mail) {
    case "verify_email":
      return verifyEmailMessage({
        siteName: site.name,
        verifyUrl: new URL(VERIFY_PATH, withSlash(site.frontendUrl)).href as HttpUrl,
        token: prepared.token,
        lifetimeSeconds: site.lifetimes.emailVerificationSeconds,
        locales,
      });
    case "registered_already":
      return registeredAlreadyMessage({
        siteName: site.name,
        loginUrl: site.frontendUrl,
        locales,
      });
  }
}

function senderOf(defaultSender: MailSender, { site }: PreparedMail): MailSender {
  return {
    name: site.mailSenderName || site.name,
    address: site.mailSenderAddress
      ? parseEmailAddress(site.mailSenderAddress, "mail_sender.address")
      : defaultSender.address,
  };
}

/** Below the front end's path, not beside it. */
function withSlash(url: string): string {
  return url.endsWith("/") ? url : `${url}/`;
}
