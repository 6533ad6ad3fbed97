import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import type { MailTemplate } from "../../gen/signet/v1/site_pb.ts";
import {
  DeleteMailTemplateResponseSchema,
  ListMailTemplatesResponseSchema,
  SetMailTemplateResponseSchema,
} from "../../gen/signet/v1/site_service_pb.ts";
import { addCommand, printAnswer } from "./answer.ts";
import { type ConfirmOptions, confirm, YES_FLAGS } from "./confirm.ts";
import { withClient } from "./connection.ts";
import type { Context } from "./context.ts";
import { layOutMailTemplate, layOutMailTemplates } from "./mail-template-layout.ts";
import {
  addMailTexts,
  kindArgument,
  kindOf,
  LOCALE_FLAGS,
  MAIL_KINDS,
  type MailTextOptions,
  SITE_FLAGS,
  type TemplateOptions,
  textsOf,
} from "./mail-template-options.ts";
import { addMailTemplatePreview } from "./mail-template-preview-command.ts";

interface OneOptions extends TemplateOptions {
  readonly locale: string;
}

/** Adds `signet site mail-template …`. */
export function addMailTemplateCommands(site: Command, context: Context): void {
  const template = site
    .command("mail-template")
    .description("Shows, sets, tries and removes what the mails of a Site say.");
  addGet(template, context);
  addSet(template, context);
  addMailTemplatePreview(template, context);
  addDelete(template, context);
}

function addGet(template: Command, context: Context): void {
  addCommand(template, "get", {
    description: "Shows the words that a Site has of its own for its mails.",
    examples: [
      "signet site mail-template get --site <id>",
      "signet site mail-template get verify_email --locale fr",
    ],
  })
    .addArgument(kindArgument("[kind]"))
    .option(...SITE_FLAGS)
    .option(...LOCALE_FLAGS)
    .action((kind: string | undefined, options: TemplateOptions) =>
      getTemplates(context, kind, options),
    );
}

async function getTemplates(
  context: Context,
  word: string | undefined,
  options: TemplateOptions,
): Promise<void> {
  const { site: siteId = "", locale } = options;
  const all = await withClient(context, ({ sites }) => sites.listMailTemplates({ siteId }));
  const isMeant = ({ kind, locale: own }: MailTemplate) =>
    (word === undefined || MAIL_KINDS.wordOf(kind) === word) &&
    (locale === undefined || own.toLowerCase() === locale.toLowerCase());
  const templates = all.templates.filter(isMeant);
  const answer = create(ListMailTemplatesResponseSchema, { templates });
  printAnswer(context, options, ListMailTemplatesResponseSchema, answer, layOutMailTemplates);
}

function addSet(template: Command, context: Context): void {
  const command = addCommand(template, "set", {
    description:
      "Sets what a mail says in one language, in place of all that it said before; what is not " +
      "given, Signet says in its own words.",
    examples: [
      'signet site mail-template set verify_email --locale en --subject "Welcome to {site}"',
      "signet site mail-template set verify_email --locale fr --site <id> \\",
      '  --subject "Bienvenue chez {site}" --opening "Confirmez votre adresse." \\',
      '  --button "Confirmer" --closing "Le lien est valable {lifetime}."',
    ],
  })
    .addArgument(kindArgument("<kind>"))
    .option(...SITE_FLAGS)
    .requiredOption(...LOCALE_FLAGS);
  addMailTexts(command).action((kind: string, options: OneOptions & MailTextOptions) =>
    setTemplate(context, kind, options),
  );
}

async function setTemplate(
  context: Context,
  word: string,
  options: OneOptions & MailTextOptions,
): Promise<void> {
  const { site: siteId = "", locale } = options;
  const template = { kind: kindOf(word), locale, ...textsOf(options) };
  const answer = await withClient(context, ({ sites }) =>
    sites.setMailTemplate({ siteId, template }),
  );
  printAnswer(context, options, SetMailTemplateResponseSchema, answer, layOutMailTemplate);
}

function addDelete(template: Command, context: Context): void {
  addCommand(template, "delete", {
    description: "Removes the Site's own words, so that the mail says again what Signet has.",
    examples: ["signet site mail-template delete verify_email --locale fr --yes"],
  })
    .addArgument(kindArgument("<kind>"))
    .option(...SITE_FLAGS)
    .requiredOption(...LOCALE_FLAGS)
    .option(...YES_FLAGS)
    .action((kind: string, options: OneOptions & ConfirmOptions) =>
      deleteTemplate(context, kind, options),
    );
}

async function deleteTemplate(
  context: Context,
  word: string,
  options: OneOptions & ConfirmOptions,
): Promise<void> {
  const { site: siteId = "", locale } = options;
  await confirm(context, `Remove the words of ${word} in ${locale}?`, options);
  const request = { siteId, kind: kindOf(word), locale };
  const answer = await withClient(context, ({ sites }) => sites.deleteMailTemplate(request));
  const done = () => `${word} in ${locale} says what Signet has for it`;
  printAnswer(context, options, DeleteMailTemplateResponseSchema, answer, done);
}
