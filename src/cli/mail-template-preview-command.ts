import type { Command } from "commander";
import type { MailTemplate, Site } from "../../gen/signet/v1/site_pb.ts";
import type { MailContent } from "../mail/mailer.ts";
import { type PreviewData, previewMail } from "../mail/preview.ts";
import { addCommand } from "./answer.ts";
import { withClient } from "./connection.ts";
import type { Context } from "./context.ts";
import { toPrintable } from "./layout.ts";
import {
  addMailTexts,
  kindArgument,
  kindOf,
  LOCALE_FLAGS,
  type MailTextOptions,
  SITE_FLAGS,
  type TemplateOptions,
  textsOf,
} from "./mail-template-options.ts";

interface PreviewOptions extends TemplateOptions, MailTextOptions {
  readonly html?: true;
}

/** Adds `signet site mail-template preview`. */
export function addMailTemplatePreview(template: Command, context: Context): void {
  const command = addCommand(template, "preview", {
    description:
      "Shows a mail as a User would read it, with a link that is none. Texts that are given " +
      "stand in place of those that are set, and nothing is set.",
    examples: [
      "signet site mail-template preview new_device --locale de",
      'signet site mail-template preview verify_email --locale fr --subject "Bienvenue"',
      "signet site mail-template preview verify_email --html > mail.html",
    ],
  })
    .addArgument(kindArgument("<kind>"))
    .option(...SITE_FLAGS)
    .option(...LOCALE_FLAGS)
    .option("--html", "as HTML, for a browser");
  addMailTexts(command).action((kind: string, options: PreviewOptions) =>
    preview(context, kind, options),
  );
}

async function preview(context: Context, word: string, options: PreviewOptions): Promise<void> {
  const { site: siteId = "" } = options;
  const content = await withClient(context, async ({ sites }) => {
    const { site } = await sites.getSite({ siteId });
    const { templates } = await sites.listMailTemplates({ siteId });
    const kind = kindOf(word);
    const own = templates.filter((template) => template.kind === kind);
    return previewMail(word, dataOf(site, own, options));
  });
  context.terminal.print(toText(content, options));
}

function dataOf(
  site: Site | undefined,
  templates: readonly MailTemplate[],
  options: PreviewOptions,
): PreviewData {
  const locale = options.locale ?? site?.locale ?? "";
  const lifetimes = site?.lifetimes;
  return {
    siteName: site?.name ?? "",
    accentColor: site?.accentColor ?? "",
    frontendUrl: site?.frontendUrl ?? "",
    locales: [locale, site?.locale ?? ""],
    templates: hasTexts(options) ? withTexts(templates, locale, options) : templates,
    lifetimeSeconds: {
      verify_email: lifetimes?.emailVerificationSeconds ?? 0,
      reset_password: lifetimes?.passwordResetSeconds ?? 0,
      accept_invitation: lifetimes?.invitationSeconds ?? 0,
      change_email: lifetimes?.emailChangeSeconds ?? 0,
    },
    time: new Date(),
  };
}

function hasTexts({ subject, opening, button, closing }: MailTextOptions): boolean {
  return [subject, opening, button, closing].some((text) => text !== undefined);
}

/** Puts the texts that are given in place of those that are set in this very language. */
function withTexts(templates: readonly MailTemplate[], locale: string, options: MailTextOptions) {
  const isSame = (one: MailTemplate) => one.locale.toLowerCase() === locale.toLowerCase();
  const others = templates.filter((one) => !isSame(one));
  return [{ locale, ...textsOf(options, templates.find(isSame)) }, ...others];
}

function toText({ subject, text, html, language }: MailContent, options: PreviewOptions): string {
  if (options.json) return JSON.stringify({ subject, text, html, language }, undefined, 2);
  if (options.html) return html;
  const lines = text.trimEnd().split("\n").map(toPrintable);
  return [`Subject: ${toPrintable(subject)}`, "", ...lines].join("\n");
}
