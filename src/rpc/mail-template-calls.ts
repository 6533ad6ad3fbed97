import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { MailKind } from "../../gen/signet/v1/site_pb.ts";
import type { SiteService } from "../../gen/signet/v1/site_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import {
  deleteMailTemplate,
  listMailTemplates,
  setMailTemplate,
} from "../domain/mail-templates.ts";
import { invalidField } from "../model/failure.ts";
import {
  type MailKind as Kind,
  parseMailTemplate,
  type StoredMailTemplate,
} from "../model/mail-template.ts";
import { parseLocale } from "../model/text.ts";
import { callerOf } from "./authorize.ts";

/** The calls about what the mails of a Site say. */
export function mailTemplateCalls(deps: Deps) {
  return {
    async setMailTemplate({ siteId: named, template: message }, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, named);
      if (!message) throw invalidField("template", "is required");
      const template = parseMailTemplate(parseKind(message.kind, "template.kind"), message);
      return { template: toMessage(await setMailTemplate(deps, caller, siteId, template)) };
    },

    async listMailTemplates({ siteId: named }, { values }) {
      const templates = await listMailTemplates(deps, siteOf(callerOf(values), named));
      return { templates: templates.map(toMessage) };
    },

    async deleteMailTemplate(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const mail = parseKind(request.kind, "kind");
      const locale = parseLocale(request.locale, "locale");
      await deleteMailTemplate(deps, caller, siteId, { mail, locale });
      return {};
    },
  } satisfies Partial<ServiceImpl<typeof SiteService>>;
}

const KIND: Readonly<Record<Kind, MailKind>> = {
  verify_email: MailKind.VERIFY_EMAIL,
  reset_password: MailKind.RESET_PASSWORD,
  accept_invitation: MailKind.ACCEPT_INVITATION,
  change_email: MailKind.CHANGE_EMAIL,
  email_changed: MailKind.EMAIL_CHANGED,
  email_change_taken: MailKind.EMAIL_CHANGE_TAKEN,
  registered_already: MailKind.REGISTERED_ALREADY,
  new_device: MailKind.NEW_DEVICE,
  password_changed: MailKind.PASSWORD_CHANGED,
  mfa_changed: MailKind.MFA_CHANGED,
  recovery_codes_changed: MailKind.RECOVERY_CODES_CHANGED,
  account_locked: MailKind.ACCOUNT_LOCKED,
};

function parseKind(message: MailKind, field: string): Kind {
  const kind = (Object.keys(KIND) as Kind[]).find((known) => KIND[known] === message);
  if (!kind) throw invalidField(field, "must be a mail that Signet sends");
  return kind;
}

function toMessage({ mail, updateTime, ...texts }: StoredMailTemplate) {
  return { ...texts, kind: KIND[mail], updateTime: timestampFromDate(updateTime) };
}
