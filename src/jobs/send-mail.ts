import type { Deps } from "../domain/deps.ts";
import { type PreparedMail, prepareMail } from "../domain/mails.ts";
import { type MailContent, MailError, type Mailer, type MailSender } from "../mail/mailer.ts";
import type { LinkMailData, NoticeMailData } from "../mail/message.ts";
import { accountLockedMessage } from "../mail/messages/account-locked.ts";
import { emailChangeMessage } from "../mail/messages/email-change.ts";
import { emailChangeTakenMessage } from "../mail/messages/email-change-taken.ts";
import { emailChangedMessage } from "../mail/messages/email-changed.ts";
import { invitationMessage } from "../mail/messages/invitation.ts";
import { mfaChangedMessage } from "../mail/messages/mfa-changed.ts";
import { newDeviceMessage } from "../mail/messages/new-device.ts";
import { passwordChangedMessage } from "../mail/messages/password-changed.ts";
import { recoveryCodesChangedMessage } from "../mail/messages/recovery-codes-changed.ts";
import { registeredAlreadyMessage } from "../mail/messages/registered-already.ts";
import { resetPasswordMessage } from "../mail/messages/reset-password.ts";
import { verifyEmailMessage } from "../mail/messages/verify-email.ts";
import { parseEmailAddress } from "../model/email-address.ts";
import { Failure } from "../model/failure.ts";
import type { OneTimePurpose } from "../model/one-time.ts";
import type { HttpUrl } from "../model/url.ts";
import type { MailJob } from "../store/mail-jobs.ts";

/** What the job needs besides the rules. */
export interface MailDeps {
  readonly deps: Deps;
  readonly mailer: Mailer;
  /** The sender of Sites that have none of their own. */
  readonly defaultSender: MailSender;
}

/** Mails with a link: the page of a Site's front end that takes the token, and the words. */
const LINK_MAILS: Readonly<
  Record<
    OneTimePurpose,
    { readonly page: string; readonly message: (data: LinkMailData) => MailContent }
  >
> = {
  verify_email: { page: "verify-email", message: verifyEmailMessage },
  reset_password: { page: "reset-password", message: resetPasswordMessage },
  accept_invitation: { page: "accept-invitation", message: invitationMessage },
  change_email: { page: "confirm-email-change", message: emailChangeMessage },
};

type Notice = Exclude<PreparedMail["mail"], OneTimePurpose | "new_device">;

const NOTICES: Readonly<Record<Notice, (data: NoticeMailData) => MailContent>> = {
  registered_already: registeredAlreadyMessage,
  email_change_taken: emailChangeTakenMessage,
  email_changed: emailChangedMessage,
  password_changed: passwordChangedMessage,
  mfa_changed: mfaChangedMessage,
  recovery_codes_changed: recoveryCodesChangedMessage,
  account_locked: accountLockedMessage,
};

/**
 * Sends the mail of a job: makes the token, renders, hands over. The mail's id is the job's, so
 * that one that is sent again after a crash is recognised.
 *
 * Throws to have the job tried again; a mail that can never be sent ends the job instead.
 * Returns false where nothing was left to send.
 */
export async function sendMail(
  shared: MailDeps,
  { id, attempts }: { readonly id: string; readonly attempts: number },
  job: MailJob,
): Promise<boolean> {
  const firstAttempt = attempts === 1;
  const prepared = await prepareMail(shared.deps, job, { firstAttempt }).catch((error: unknown) => {
    if (error instanceof Failure && error.reason === "site_not_found") return undefined;
    throw error;
  });
  if (!prepared) return false;
  await shared.mailer.send({
    id: `${job.mail.replaceAll("_", "-")}.${id}`,
    from: senderOf(shared.defaultSender, prepared),
    to: prepared.to,
    content: contentOf(prepared),
  });
  return true;
}

/** Tells whether another try is useless, as for a recipient who does not exist. */
export function isPermanent(error: unknown): boolean {
  return error instanceof MailError && error.permanent;
}

function contentOf(prepared: PreparedMail): MailContent {
  const { site, locale, templates } = prepared;
  const locales = [locale || undefined, site.locale];
  const shared = { siteName: site.name, locales, templates };
  const data = { ...shared, loginUrl: site.frontendUrl };
  if (prepared.mail === "new_device") {
    return newDeviceMessage({ ...data, ip: prepared.ip, time: prepared.time });
  }
  if (!("token" in prepared)) return NOTICES[prepared.mail](data);
  const { page, message } = LINK_MAILS[prepared.mail];
  const pageUrl = new URL(page, withSlash(site.frontendUrl)).href as HttpUrl;
  const { token, lifetimeSeconds } = prepared;
  return message({ ...shared, pageUrl, token, lifetimeSeconds });
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
