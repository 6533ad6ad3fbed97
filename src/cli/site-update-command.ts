import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { LifetimesSchema, LinkPagesSchema } from "../../gen/signet/v1/site_pb.ts";
import {
  type UpdateSiteResponse,
  UpdateSiteResponseSchema,
} from "../../gen/signet/v1/site_service_pb.ts";
import type { SignetClient } from "../client/index.ts";
import { type AnswerOptions, addCommand, printAnswer } from "./answer.ts";
import { withClient } from "./connection.ts";
import { type Context, UsageError } from "./context.ts";
import { numberOption, present } from "./options.ts";
import { layOutSite } from "./site-layout.ts";
import {
  addSiteSettings,
  linkPagesOf,
  plainSettingsOf,
  type SiteSettings,
} from "./site-settings.ts";

interface UpdateSiteOptions extends AnswerOptions, SiteSettings {
  readonly name?: string;
  readonly frontendUrl?: string;
  readonly selfRegistration?: boolean;
  readonly publicCalls?: boolean;
  readonly deletionProtected?: boolean;
  readonly expectedVersion?: number;
  /** False: none is to be left. */
  readonly domains: boolean;
  readonly redirectUrls: boolean;
  readonly origins: boolean;
}

/** Adds `signet site update`. */
export function addSiteUpdate(site: Command, context: Context): void {
  const command = addCommand(site, "update", {
    description:
      "Changes what is given of a Site, and nothing else. Host names, redirects and origins " +
      "stand in place of all that were there. Domains, mail sender and deletion protection " +
      "need an operator key.",
    examples: [
      "signet site update <id> --mfa-policy required --lifetime access-token=600",
      "signet site update <id> --domain blog.example.com --domain www.blog.example.com",
      "signet site update --no-public-calls --no-origins --expected-version 7",
    ],
  })
    .argument("[id]", "the Site; not needed with a site key")
    .option("--name <name>", "the name that people see")
    .option("--frontend-url <url>", "where its front end is");
  addSiteSettings(command)
    .option("--no-domains", "take all host names away")
    .option("--no-redirect-urls", "take all redirects away")
    .option("--no-origins", "take all origins away")
    .option("--self-registration", "let people register themselves")
    .option("--no-self-registration", "do not")
    .option("--public-calls", "let browsers register and sign in without a key")
    .option("--no-public-calls", "do not")
    .option("--deletion-protected", "refuse to delete it")
    .option("--no-deletion-protected", "let it be deleted")
    .addOption(numberOption("--expected-version <n>", "refuse unless the Site is at it"))
    .action((id: string | undefined, options: UpdateSiteOptions) =>
      updateSite(context, id, options),
    );
}

async function updateSite(
  context: Context,
  siteId = "",
  options: UpdateSiteOptions,
): Promise<void> {
  const lists = listsOf(options);
  const answer = await withClient(context, (client) => update(client, siteId, options, lists));
  printAnswer(context, options, UpdateSiteResponseSchema, answer, layOutSite);
}

async function update(
  client: SignetClient,
  siteId: string,
  options: UpdateSiteOptions,
  lists: ReturnType<typeof listsOf>,
): Promise<UpdateSiteResponse> {
  const { name, frontendUrl, selfRegistration, publicCalls, deletionProtected } = options;
  const wholes = await wholesOf(client, siteId, options);
  const expectedVersion =
    options.expectedVersion === undefined ? wholes.version : BigInt(options.expectedVersion);
  return await client.sites.updateSite({
    siteId,
    ...lists,
    ...present({ name, frontendUrl, selfRegistration, publicCalls, deletionProtected }),
    ...present({ ...plainSettingsOf(options), ...wholes.settings, expectedVersion }),
  });
}

/**
 * Lifetimes, mail sender and pages are changed as a whole: what is not given of them is taken from
 * the Site as it is, and the change is meant for that version alone.
 */
async function wholesOf({ sites }: SignetClient, siteId: string, options: UpdateSiteOptions) {
  const { lifetime, mailAddress, mailName } = options;
  const hasSender = mailAddress !== undefined || mailName !== undefined;
  const linkPages = linkPagesOf(options);
  if (!lifetime && !hasSender && !linkPages) return { settings: {}, version: undefined };
  const { site } = await sites.getSite({ siteId });
  const { address = "", name = "" } = site?.mailSender ?? {};
  return {
    version: site?.version,
    settings: {
      ...(lifetime
        ? { lifetimes: Object.assign(create(LifetimesSchema), site?.lifetimes, lifetime) }
        : {}),
      ...(hasSender
        ? { mailSender: { address: mailAddress ?? address, name: mailName ?? name } }
        : {}),
      ...(linkPages
        ? { linkPages: Object.assign(create(LinkPagesSchema), site?.linkPages, linkPages) }
        : {}),
    },
  };
}

function listsOf({ domain, redirectUrl, origin, ...options }: UpdateSiteOptions) {
  const domains = listOf("--domain", domain, options.domains);
  const redirectUrls = listOf("--redirect-url", redirectUrl, options.redirectUrls);
  const origins = listOf("--origin", origin, options.origins);
  return {
    ...(domains ? { domains: { domains } } : {}),
    ...(redirectUrls ? { redirectUrls: { redirectUrls } } : {}),
    ...(origins ? { origins: { origins } } : {}),
  };
}

function listOf(flag: string, given: string[] | undefined, isKept: boolean): string[] | undefined {
  if (isKept) return given;
  if (given) throw new UsageError(`give ${flag} or ${flag.replace("--", "--no-")}s, not both`);
  return [];
}
