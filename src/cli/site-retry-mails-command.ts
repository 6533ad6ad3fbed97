import type { Command } from "commander";
import {
  type RetryMailsResponse,
  RetryMailsResponseSchema,
} from "../../gen/signet/v1/site_service_pb.ts";
import { type AnswerOptions, addCommand, printAnswer } from "./answer.ts";
import { withClient } from "./connection.ts";
import type { Context } from "./context.ts";

/** Adds `signet site retry-mails`. */
export function addSiteRetryMails(site: Command, context: Context): void {
  addCommand(site, "retry-mails", {
    description:
      "Has the mails of a Site tried anew that no mail server has taken in four days, at most " +
      "1,000 at a time; with a site key, and no id, those of its own.",
    examples: ["signet site retry-mails <id>"],
  })
    .argument("[id]", "the Site")
    .action((siteId: string | undefined, options: AnswerOptions) =>
      retryMails(context, siteId ?? "", options),
    );
}

async function retryMails(context: Context, siteId: string, options: AnswerOptions): Promise<void> {
  const answer = await withClient(context, ({ sites }) => sites.retryMails({ siteId }));
  printAnswer(context, options, RetryMailsResponseSchema, answer, layOutRetried);
}

function layOutRetried({ retriedCount }: RetryMailsResponse): string {
  return `${retriedCount} ${retriedCount === 1 ? "mail is" : "mails are"} in the queue again`;
}
