import type { Deps } from "../domain/deps.ts";
import { type PreparedMail, prepareMail } from "../domain/mails.ts";
import { type MailContent, MailError, type Mailer, type MailSender } from "../mail/mailer.ts";
import { newDeviceMessage } from "../mail/messages/new-device.ts";
import { LINK_MAILS, NOTICES } from "../mail/messages-by-kind.ts";
import { parseEmailAddress } from "../model/email-address.ts";
import { Failure } from "../model/failure.ts";
import { linkPageOf } from "../model/site.ts";
import { traced } from "../model/tracing.ts";
import type { MailJob } from "../store/mail-jobs.ts";

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
  const { publicUrl } = shared.deps;
  const mail = {
    id: `${job.mail.replaceAll("_", "-")}.${id}`,
    from: senderOf(shared.defaultSender, prepared),
    to: prepared.to,
    content: contentOf(prepared, publicUrl),
  };
  const sending = { name: "send mail", kind: "client", attributes: {} } as const;
  await traced(sending, () => shared.mailer.send(mail));
  return true;
}

/** Tells whether another try is useless, as for a recipient who does not exist. */
export function isPermanent(error: unknown): boolean {
  return error instanceof MailError && error.permanent;
}

function contentOf(prepared: PreparedMail, publicUrl: string): MailContent {
  const { site, locale, templates } = prepared;
  const locales = [locale || undefined, site.locale];
  const shared = { siteName: site.name, accentColor: site.accentColor, locales, templates };
  const data = { ...shared, loginUrl: site.frontendUrl };
  if (prepared.mail === "new_device") {
    return newDeviceMessage({ ...data, ip: prepared.ip, time: prepared.time });
  }
  if (!("token" in prepared)) return NOTICES[prepared.mail](data);
  const { mail, token, lifetimeSeconds } = prepared;
  const pageOf = linkPageOf(site, mail, publicUrl);
  return LINK_MAILS[mail]({ ...shared, pageOf, token, lifetimeSeconds });
}

function senderOf(defaultSender: MailSender, { site }: PreparedMail): MailSender {
  return {
    name: site.mailSenderName || site.name,
    address: site.mailSenderAddress
      ? parseEmailAddress(site.mailSenderAddress, "mail_sender.address")
      : defaultSender.address,
  };
}
