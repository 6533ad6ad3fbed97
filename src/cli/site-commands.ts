import type { Command } from "commander";
import {
  GetSiteByDomainResponseSchema,
  GetSiteResponseSchema,
} from "../../gen/signet/v1/site_service_pb.ts";
import { type AnswerOptions, addCommand, printAnswer } from "./answer.ts";
import { getSiteByDomain, withClient } from "./connection.ts";
import { type Context, UsageError } from "./context.ts";
import { addMailTemplateCommands } from "./mail-template-commands.ts";
import { addSiteCreate } from "./site-create-command.ts";
import { addSiteDelete } from "./site-delete-command.ts";
import { layOutPublicSite, layOutSite } from "./site-layout.ts";
import { addSiteList } from "./site-list-command.ts";
import { addSiteRetryMails } from "./site-retry-mails-command.ts";
import { addSiteUpdate } from "./site-update-command.ts";

interface GetSiteOptions extends AnswerOptions {
  readonly domain?: string;
}

/** Adds `signet site …`. */
export function addSiteCommands(root: Command, context: Context): void {
  const site = root
    .command("site")
    .description("Creates, shows, lists, changes and deletes Sites.");
  addSiteCreate(site, context);
  addGet(site, context);
  addSiteList(site, context);
  addSiteUpdate(site, context);
  addSiteDelete(site, context);
  addSiteRetryMails(site, context);
  addMailTemplateCommands(site, context);
}

function addGet(site: Command, context: Context): void {
  addCommand(site, "get", {
    description: "Shows a Site; with a site key, and no id, its own.",
    examples: [
      "signet site get 01890a5d-ac96-774b-bcce-b302099a8057",
      "signet site get --domain blog.example.com   # what anybody may know; needs no key",
    ],
  })
    .argument("[id]", "the Site")
    .option("--domain <host>", "find it by a host name, with no secret of it")
    .action((id: string | undefined, options: GetSiteOptions) => getSite(context, id, options));
}

async function getSite(
  context: Context,
  siteId: string | undefined,
  options: GetSiteOptions,
): Promise<void> {
  const { domain } = options;
  if (domain === undefined) {
    const ask = { siteId: siteId ?? "" };
    const answer = await withClient(context, ({ sites }) => sites.getSite(ask));
    return printAnswer(context, options, GetSiteResponseSchema, answer, layOutSite);
  }
  if (siteId !== undefined) throw new UsageError("give an id or --domain, not both");
  const answer = await getSiteByDomain(context, domain);
  printAnswer(context, options, GetSiteByDomainResponseSchema, answer, layOutPublicSite);
}
