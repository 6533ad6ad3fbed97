import type { MailKind } from "../model/mail-template.ts";
import type { OneTimePurpose } from "../model/one-time.ts";
import type { MailContent } from "./mailer.ts";
import type { LinkMailData, NoticeMailData } from "./message.ts";
import { accountLockedMessage } from "./messages/account-locked.ts";
import { emailChangeMessage } from "./messages/email-change.ts";
import { emailChangeTakenMessage } from "./messages/email-change-taken.ts";
import { emailChangedMessage } from "./messages/email-changed.ts";
import { invitationMessage } from "./messages/invitation.ts";
import { mfaChangedMessage } from "./messages/mfa-changed.ts";
import { passwordChangedMessage } from "./messages/password-changed.ts";
import { recoveryCodesChangedMessage } from "./messages/recovery-codes-changed.ts";
import { registeredAlreadyMessage } from "./messages/registered-already.ts";
import { resetPasswordMessage } from "./messages/reset-password.ts";
import { verifyEmailMessage } from "./messages/verify-email.ts";

/** What writes each mail with a link. */
export const LINK_MAILS: Readonly<Record<OneTimePurpose, (data: LinkMailData) => MailContent>> = {
  verify_email: verifyEmailMessage,
  reset_password: resetPasswordMessage,
  accept_invitation: invitationMessage,
  change_email: emailChangeMessage,
};

/** What tells of something, with nothing in it but the Site's own data. */
export type Notice = Exclude<MailKind, OneTimePurpose | "new_device">;

/** What writes each {@link Notice}. */
export const NOTICES: Readonly<Record<Notice, (data: NoticeMailData) => MailContent>> = {
  registered_already: registeredAlreadyMessage,
  email_change_taken: emailChangeTakenMessage,
  email_changed: emailChangedMessage,
  password_changed: passwordChangedMessage,
  mfa_changed: mfaChangedMessage,
  recovery_codes_changed: recoveryCodesChangedMessage,
  account_locked: accountLockedMessage,
};
