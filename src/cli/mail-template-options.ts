import { Argument, type Command } from "commander";
import { type MailKind, MailKindSchema } from "../../gen/signet/v1/site_pb.ts";
import type { AnswerOptions } from "./answer.ts";
import { enumWords } from "./enum-words.ts";
import { listOption } from "./options.ts";

/** The mails that Signet sends. */
export const MAIL_KINDS = enumWords(MailKindSchema);

/** Whose templates are meant, and in which language. */
export interface TemplateOptions extends AnswerOptions {
  readonly site?: string;
  readonly locale?: string;
}

/** The flag of {@link TemplateOptions.site}. */
export const SITE_FLAGS = ["--site <id>", "the Site; not needed with a site key"] as const;

/** The flag of {@link TemplateOptions.locale}. */
export const LOCALE_FLAGS = ["--locale <tag>", "the language, such as fr or pt-BR"] as const;

/** The texts of a mail as options. */
export interface MailTextOptions {
  readonly subject?: string;
  readonly opening?: string[];
  readonly button?: string;
  readonly closing?: string[];
}

/** The texts of a mail; an empty one stays as Signet has it. */
export interface MailTextsGiven {
  readonly subject: string;
  readonly opening: string;
  readonly button: string;
  readonly closing: string;
}

/** The argument that names a kind of mail. */
export function kindArgument(name: "<kind>" | "[kind]"): Argument {
  return new Argument(name, "the mail").choices(MAIL_KINDS.words);
}

/** Reads the argument, which is one of the words that there are. */
export function kindOf(word: string): MailKind {
  const kind = MAIL_KINDS.valueOf(word);
  if (kind === undefined) throw new RangeError(`${word} is no mail`);
  return kind;
}

/** Adds the options of {@link MailTextOptions}. */
export function addMailTexts(command: Command): Command {
  return command
    .option("--subject <text>", "the subject; in braces stands {site}")
    .addOption(listOption("--opening <text>", "a paragraph before the button"))
    .option("--button <text>", "what the button says")
    .addOption(listOption("--closing <text>", "a paragraph behind the button, as with {lifetime}"));
}

/** Puts paragraphs below each other; what was not given is as it is in `before`. */
export function textsOf(
  { subject, opening, button, closing }: MailTextOptions,
  before: MailTextsGiven = { subject: "", opening: "", button: "", closing: "" },
): MailTextsGiven {
  return {
    subject: subject ?? before.subject,
    opening: opening?.join("\n\n") ?? before.opening,
    button: button ?? before.button,
    closing: closing?.join("\n\n") ?? before.closing,
  };
}
