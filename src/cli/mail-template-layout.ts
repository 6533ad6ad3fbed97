import type { MailTemplate } from "../../gen/signet/v1/site_pb.ts";
import type { ListMailTemplatesResponse } from "../../gen/signet/v1/site_service_pb.ts";
import { layOutFields, layOutTable, toPrintable } from "./layout.ts";
import { MAIL_KINDS } from "./mail-template-options.ts";
import { timeText } from "./values.ts";

/** Lays the words of one mail out. */
export function layOutMailTemplate({
  template,
}: {
  readonly template?: MailTemplate | undefined;
}): string {
  if (!template) return "";
  return [
    layOutFields([
      ["Mail", MAIL_KINDS.wordOf(template.kind)],
      ["Language", template.locale],
      ["Subject", template.subject],
      ["Button", template.button],
      ["Set", timeText(template.updateTime)],
    ]),
    ...paragraphs("Opening", template.opening),
    ...paragraphs("Closing", template.closing),
  ].join("\n\n");
}

/** Lays out one template whole, several as a table. */
export function layOutMailTemplates({ templates }: ListMailTemplatesResponse): string {
  const [only, another] = templates;
  if (!only) return "There are no words of its own: mails say what Signet has.";
  if (!another) return layOutMailTemplate({ template: only });
  return layOutTable(
    ["mail", "language", "subject", "set"],
    templates.map(({ kind, locale, subject, updateTime }) => [
      MAIL_KINDS.wordOf(kind),
      locale,
      subject,
      timeText(updateTime),
    ]),
  );
}

/** Lines of their own, each free of what would move a cursor. */
function paragraphs(name: string, text: string): string[] {
  if (text === "") return [];
  return [`${name}:\n${text.split("\n").map(toPrintable).join("\n")}`];
}
