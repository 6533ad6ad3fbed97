import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import type { MfaPolicy, SigningAlgorithm } from "../../gen/signet/v1/site_pb.ts";
import {
  CreateSiteRequestSchema,
  CreateSiteResponseSchema,
  GetSiteByDomainResponseSchema,
  GetSiteResponseSchema,
} from "../../gen/signet/v1/site_service_pb.ts";
import { type AnswerOptions, addCommand, printAnswer } from "./answer.ts";
import { getSiteByDomain, withClient } from "./connection.ts";
import { type Context, UsageError } from "./context.ts";
import { enumOption, listOption, numberOption, present } from "./options.ts";
import { layOutPublicSite, layOutSite } from "./site-layout.ts";
import {
  type LifetimesInit,
  lifetimeOption,
  MFA_POLICIES,
  SIGNING_ALGORITHMS,
} from "./site-options.ts";

interface CreateSiteOptions extends AnswerOptions {
  readonly name: string;
  readonly frontendUrl: string;
  readonly id?: string;
  readonly domain?: string[];
  readonly redirectUrl?: string[];
  readonly origin?: string[];
  readonly mailAddress?: string;
  readonly mailName?: string;
  readonly selfRegistration: boolean;
  readonly publicCalls?: true;
  readonly mfaPolicy?: MfaPolicy;
  readonly passwordLengthMin?: number;
  readonly lifetime?: LifetimesInit;
  readonly signingAlgorithm?: SigningAlgorithm;
  readonly defaultAudience?: string;
  readonly locale?: string;
  readonly deletionProtected?: true;
}

interface GetSiteOptions extends AnswerOptions {
  readonly domain?: string;
}

/** Adds `signet site …`. */
export function addSiteCommands(root: Command, context: Context): void {
  const site = root.command("site").description("creates and shows Sites");
  addCreate(site, context);
  addGet(site, context);
}

function addCreate(site: Command, context: Context): void {
  addCommand(site, "create", {
    description: "Creates a Site. Needs an operator key.",
    examples: [
      "signet site create --name Blog --frontend-url https://blog.example.com \\",
      "    --domain blog.example.com --redirect-url https://blog.example.com/welcome",
      "signet site create --name Shop --frontend-url http://localhost:3000 --public-calls --json",
    ],
  })
    .requiredOption("--name <name>", "the name that people see")
    .requiredOption("--frontend-url <url>", "where its front end is; links in mails start so")
    .option("--id <uuid>", "its id; a repeat with the same id answers as the first call did")
    .addOption(listOption("--domain <host>", "a host name it is found by"))
    .addOption(listOption("--redirect-url <url>", "where a link in a mail may lead on to"))
    .addOption(listOption("--origin <origin>", "an origin from which browsers may call"))
    .option("--mail-address <address>", "who its mails come from")
    .option("--mail-name <name>", "the name beside that address")
    .option("--no-self-registration", "do not let people register themselves")
    .option("--public-calls", "let browsers register and sign in without a key")
    .addOption(enumOption("--mfa-policy <word>", "a second factor", MFA_POLICIES))
    .addOption(numberOption("--password-length-min <n>", "characters of a password, 8 to 64"))
    .addOption(lifetimeOption("--lifetime <name=seconds>"))
    .addOption(enumOption("--signing-algorithm <word>", "of its tokens", SIGNING_ALGORITHMS))
    .option("--default-audience <text>", "the audience of its tokens (default: the issuer)")
    .option("--locale <tag>", "the language of mails to Users who have none, such as de-AT")
    .option("--deletion-protected", "refuse to delete it")
    .action((options: CreateSiteOptions) => createSite(context, options));
}

async function createSite(context: Context, options: CreateSiteOptions): Promise<void> {
  const { domain, redirectUrl, origin, mailAddress, mailName, lifetime, json, ...rest } = options;
  const lists = { domains: domain, redirectUrls: redirectUrl, origins: origin };
  const sender = present({ address: mailAddress, name: mailName });
  const request = create(CreateSiteRequestSchema, {
    ...present({ ...rest, ...lists, lifetimes: lifetime }),
    ...(mailAddress || mailName ? { mailSender: sender } : {}),
  });
  const answer = await withClient(context, ({ sites }) => sites.createSite(request));
  printAnswer(context, options, CreateSiteResponseSchema, answer, layOutSite);
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
