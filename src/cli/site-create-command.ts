import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  CreateSiteRequestSchema,
  CreateSiteResponseSchema,
} from "../../gen/signet/v1/site_service_pb.ts";
import { type AnswerOptions, addCommand, printAnswer } from "./answer.ts";
import { withClient } from "./connection.ts";
import type { Context } from "./context.ts";
import { present } from "./options.ts";
import { layOutSite } from "./site-layout.ts";
import {
  addSiteSettings,
  linkPagesOf,
  plainSettingsOf,
  type SiteSettings,
} from "./site-settings.ts";

interface CreateSiteOptions extends AnswerOptions, SiteSettings {
  readonly name: string;
  readonly frontendUrl: string;
  readonly id?: string;
  readonly selfRegistration: boolean;
  readonly publicCalls?: true;
  readonly deletionProtected?: true;
}

/** Adds `signet site create`. */
export function addSiteCreate(site: Command, context: Context): void {
  const command = addCommand(site, "create", {
    description: "Creates a Site. Needs an operator key.",
    examples: [
      "signet site create --name Blog --frontend-url https://blog.example.com \\",
      "    --domain blog.example.com --redirect-url https://blog.example.com/welcome",
      "signet site create --name Shop --frontend-url http://localhost:3000 --public-calls --json",
    ],
  })
    .requiredOption("--name <name>", "the name that people see")
    .requiredOption("--frontend-url <url>", "where its front end is")
    .option("--id <uuid>", "its id; a repeat with the same id answers as the first call did");
  addSiteSettings(command)
    .option("--no-self-registration", "do not let people register themselves")
    .option("--public-calls", "let browsers register and sign in without a key")
    .option("--deletion-protected", "refuse to delete it")
    .action((options: CreateSiteOptions) => createSite(context, options));
}

async function createSite(context: Context, options: CreateSiteOptions): Promise<void> {
  const { id, name, frontendUrl, selfRegistration, publicCalls, deletionProtected } = options;
  const { domain, redirectUrl, origin, mailAddress, mailName, lifetime } = options;
  const linkPages = linkPagesOf(options);
  const request = create(CreateSiteRequestSchema, {
    ...present({ id, name, frontendUrl, selfRegistration, publicCalls, deletionProtected }),
    ...present({ domains: domain, redirectUrls: redirectUrl, origins: origin }),
    ...present({ ...plainSettingsOf(options), lifetimes: lifetime, linkPages }),
    ...(mailAddress || mailName
      ? { mailSender: present({ address: mailAddress, name: mailName }) }
      : {}),
  });
  const answer = await withClient(context, ({ sites }) => sites.createSite(request));
  printAnswer(context, options, CreateSiteResponseSchema, answer, layOutSite);
}
