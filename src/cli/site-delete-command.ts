import type { Command } from "commander";
import type { Site } from "../../gen/signet/v1/site_pb.ts";
import {
  type DeleteSiteResponse,
  DeleteSiteResponseSchema,
} from "../../gen/signet/v1/site_service_pb.ts";
import { ErrorReason, reasonOf, type SignetClient } from "../client/index.ts";
import { type AnswerOptions, addCommand, printAnswer } from "./answer.ts";
import { type ConfirmOptions, confirmByName, YES_FLAGS } from "./confirm.ts";
import { withClient } from "./connection.ts";
import type { Context } from "./context.ts";

interface DeleteSiteOptions extends AnswerOptions, ConfirmOptions {}

/** Adds `signet site delete`. */
export function addSiteDelete(site: Command, context: Context): void {
  addCommand(site, "delete", {
    description:
      "Closes a Site at once, and deletes its Users in the background. Needs an operator key. " +
      "A person is asked to type the name of the Site; a repeat tells how many Users are left.",
    examples: ["signet site delete <id>", "signet site delete <id> --yes --json"],
  })
    .argument("<id>", "the Site")
    .option(...YES_FLAGS)
    .action((siteId: string, options: DeleteSiteOptions) => deleteSite(context, siteId, options));
}

async function deleteSite(
  context: Context,
  siteId: string,
  options: DeleteSiteOptions,
): Promise<void> {
  const answer = await withClient(context, async (client) => {
    if (!options.yes) await askAbout(context, client, siteId, options);
    return await client.sites.deleteSite({ siteId });
  });
  printAnswer(context, options, DeleteSiteResponseSchema, answer, layOutDeleted);
}

async function askAbout(
  context: Context,
  client: SignetClient,
  siteId: string,
  options: DeleteSiteOptions,
): Promise<void> {
  const site = await findSite(client, siteId);
  if (!site) return; // It is closed already: this asks how many Users are left.
  const { count } = await client.users.countUsers({ siteId });
  const warning = `This deletes the Site ${site.name} (${siteId}) and its ${count} Users for good.`;
  await confirmByName(context, warning, site.name, options);
}

async function findSite({ sites }: SignetClient, siteId: string): Promise<Site | undefined> {
  try {
    return (await sites.getSite({ siteId })).site;
  } catch (error) {
    if (reasonOf(error) === ErrorReason.SITE_NOT_FOUND) return undefined;
    throw error;
  }
}

function layOutDeleted({ remainingUsers }: DeleteSiteResponse): string {
  if (remainingUsers === 0n) return "The Site is deleted.";
  return `The Site is closed; ${remainingUsers} Users are still to be deleted.`;
}
