import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import type { Site } from "../../gen/signet/v1/site_pb.ts";
import {
  type ListSitesResponse,
  ListSitesResponseSchema,
} from "../../gen/signet/v1/site_service_pb.ts";
import { type AnswerOptions, addCommand, printAnswer } from "./answer.ts";
import { withClient } from "./connection.ts";
import type { Context } from "./context.ts";
import { present } from "./options.ts";
import { LIMIT_DEFAULT, limitOption, PAGE_TOKEN_FLAGS, readPages } from "./pages.ts";
import { layOutSites } from "./site-layout.ts";

interface ListSitesOptions extends AnswerOptions {
  readonly namePrefix?: string;
  readonly domain?: string;
  readonly limit: number;
  readonly pageToken?: string;
}

/** Adds `signet site list`. */
export function addSiteList(site: Command, context: Context): void {
  addCommand(site, "list", {
    description: "Lists Sites in the order of their ids. Needs an operator key.",
    examples: ["signet site list", "signet site list --name-prefix blog --limit 1000 --json"],
  })
    .option("--name-prefix <text>", "with a name that begins so")
    .option("--domain <host>", "with this host name")
    .addOption(limitOption(LIMIT_DEFAULT))
    .option(...PAGE_TOKEN_FLAGS)
    .action((options: ListSitesOptions) => listSites(context, options));
}

async function listSites(context: Context, options: ListSitesOptions): Promise<void> {
  const { namePrefix, domain } = options;
  const filter = present({ namePrefix, domain });
  const sites: Site[] = [];
  const nextPageToken = await withClient(context, (client) =>
    readPages(options, async (page) => {
      const answer = await client.sites.listSites({ ...filter, ...page });
      sites.push(...answer.sites);
      return { count: sites.length, nextPageToken: answer.nextPageToken };
    }),
  );
  const answer: ListSitesResponse = create(ListSitesResponseSchema, { sites, nextPageToken });
  printAnswer(context, options, ListSitesResponseSchema, answer, layOutSites);
}
