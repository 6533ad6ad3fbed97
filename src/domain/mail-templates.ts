import { ownLanguage } from "../mail/site-words.ts";
import type { Caller } from "../model/caller.ts";
import { Failure, invalidField } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import type { MailTemplate, StoredMailTemplate } from "../model/mail-template.ts";
import {
  deleteMailTemplate as deleteStored,
  listMailTemplates as listStored,
  lockMailTemplates,
  saveMailTemplate,
} from "../store/mail-templates.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";

/**
 * Sets what one kind of mail of a Site says in one language.
 *
 * @throws {Failure} `site_not_found`; `limit_reached`; `invalid_field` for an empty text that
 *   Signet has no words for in this language.
 */
export async function setMailTemplate(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  template: MailTemplate,
): Promise<StoredMailTemplate> {
  requireWords(template);
  await deps.sites.get(siteId);
  return await deps.db.inSite(siteId, async (tx) => {
    await lockMailTemplates(tx, siteId);
    const { mail, locale } = template;
    const others = (await listStored(tx, siteId, undefined)).filter(
      (one) => one.mail !== mail || one.locale !== locale,
    );
    const limit = LIMITS.mailTemplatesMax;
    if (others.length >= limit) throw new Failure("limit_reached", { limit: `${limit}` });
    const now = deps.clock.now();
    await saveMailTemplate(tx, siteId, template, now);
    const act = { kind: "site.mail_template_set", subjectId: siteId, details: { mail, locale } };
    await recordAct(tx, siteId, caller, act, now);
    return { ...template, updateTime: now };
  });
}

/** Lists the templates of a Site. @throws {Failure} `site_not_found` */
export async function listMailTemplates(
  deps: Deps,
  siteId: SiteId,
): Promise<readonly StoredMailTemplate[]> {
  await deps.sites.get(siteId);
  const list = { readOnly: true } as const;
  return await deps.db.inSite(siteId, (tx) => listStored(tx, siteId, undefined), list);
}

/** Removes a template; to remove none is no error. @throws {Failure} `site_not_found` */
export async function deleteMailTemplate(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  { mail, locale }: Pick<MailTemplate, "mail" | "locale">,
): Promise<void> {
  await deps.sites.get(siteId);
  await deps.db.inSite(siteId, async (tx) => {
    if (!(await deleteStored(tx, siteId, { mail, locale }))) return;
    const details = { mail, locale };
    const act = { kind: "site.mail_template_deleted", subjectId: siteId, details };
    await recordAct(tx, siteId, caller, act, deps.clock.now());
  });
}

/** In a language that Signet has no words in, the Site needs all of them. */
function requireWords(template: MailTemplate): void {
  if (ownLanguage(template.locale)) return;
  for (const part of ["subject", "opening", "button"] as const) {
    if (template[part] === "") throw invalidField(`template.${part}`, "is required");
  }
}
