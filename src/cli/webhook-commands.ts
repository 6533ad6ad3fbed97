import type { Command } from "commander";
import { type ChangeKind, ChangeKindSchema } from "../../gen/signet/v1/change_pb.ts";
import {
  CreateWebhookResponseSchema,
  DeleteWebhookResponseSchema,
  ListWebhooksResponseSchema,
  RotateWebhookSecretResponseSchema,
  UpdateWebhookResponseSchema,
} from "../../gen/signet/v1/sync_service_pb.ts";
import { type AnswerOptions, addCommand, printAnswer } from "./answer.ts";
import { type ConfirmOptions, confirm, YES_FLAGS } from "./confirm.ts";
import { withClient } from "./connection.ts";
import type { Context } from "./context.ts";
import { enumWords } from "./enum-words.ts";
import { enumListOption, listOption, numberOption, present } from "./options.ts";
import { addWebhookDeliveryCommands } from "./webhook-delivery-commands.ts";
import { layOutNewSecret, layOutWebhook, layOutWebhooks } from "./webhook-layout.ts";

const PAGE_SIZE = 500;
const KINDS = enumWords(ChangeKindSchema);
const SITE_FLAGS = ["--site <id>", "its Site; not needed with a site key"] as const;

interface SiteOptions extends AnswerOptions {
  readonly site?: string;
}

interface SettingsOptions extends SiteOptions {
  readonly label?: string;
  readonly kind?: ChangeKind[];
  readonly userField?: string[];
}

interface CreateOptions extends SettingsOptions {
  readonly id?: string;
}

interface UpdateOptions extends SettingsOptions {
  readonly url?: string;
  readonly enable?: true;
  readonly disable?: true;
  readonly skipBacklog?: true;
}

interface RotateOptions extends SiteOptions {
  readonly overlapSeconds?: number;
}

/** Adds `signet webhook …`. */
export function addWebhookCommands(root: Command, context: Context): void {
  const webhook = root.command("webhook").description("Posts the Changes of a Site to apps.");
  addCreate(webhook, context);
  addList(webhook, context);
  addUpdate(webhook, context);
  addRotate(webhook, context);
  addDelete(webhook, context);
  addWebhookDeliveryCommands(webhook, context);
}

function addCreate(webhook: Command, context: Context): void {
  const command = addCommand(webhook, "create", {
    description: "Creates a webhook and shows its secret, for the only time.",
    examples: [
      "signet webhook create https://shop.example.com/signet --site <id> --kind created",
      "signet webhook create https://crm.example.com/hook --site <id> --user-field email",
    ],
  })
    .argument("<url>", "where to post")
    .option(...SITE_FLAGS)
    .option("--id <uuid>", "its id; a repeat with the same id answers without the secret");
  withSettings(command).action((url: string, options: CreateOptions) =>
    createWebhook(context, url, options),
  );
}

async function createWebhook(context: Context, url: string, options: CreateOptions) {
  const { site: siteId, id, label, kind: kinds, userField: userFields } = options;
  const request = { url, ...present({ siteId, id, label, kinds, userFields }) };
  const answer = await withClient(context, ({ sync }) => sync.createWebhook(request));
  printAnswer(context, options, CreateWebhookResponseSchema, answer, layOutNewSecret);
}

function withSettings(command: Command): Command {
  return command
    .option("--label <text>", "what it is for")
    .addOption(enumListOption("--kind <word>", "a kind of Changes to post, else all", KINDS))
    .addOption(listOption("--user-field <name>", "a field of Users to post, else all"));
}

function addList(webhook: Command, context: Context): void {
  addCommand(webhook, "list", {
    description: "Lists the webhooks of a Site, without their secrets.",
    examples: ["signet webhook list --site <id>"],
  })
    .option(...SITE_FLAGS)
    .action((options: SiteOptions) => listWebhooks(context, options));
}

/** A Site has few of them, so that one page holds all. */
async function listWebhooks(context: Context, options: SiteOptions): Promise<void> {
  const request = { ...present({ siteId: options.site }), pageSize: PAGE_SIZE };
  const answer = await withClient(context, ({ sync }) => sync.listWebhooks(request));
  printAnswer(context, options, ListWebhooksResponseSchema, answer, layOutWebhooks);
}

function addUpdate(webhook: Command, context: Context): void {
  const command = addCommand(webhook, "update", {
    description: "Changes a webhook, or switches it off and on again.",
    examples: [
      "signet webhook update <webhook id> --site <id> --enable",
      "signet webhook update <webhook id> --site <id> --url https://shop.example.com/new",
    ],
  })
    .argument("<id>", "the webhook")
    .option(...SITE_FLAGS)
    .option("--url <url>", "where to post")
    .option("--enable", "switch it on again; it goes on where it stopped")
    .option("--disable", "switch it off")
    .option("--skip-backlog", "give up what waits, and go on with what comes");
  withSettings(command).action((id: string, options: UpdateOptions) =>
    updateWebhook(context, id, options),
  );
}

async function updateWebhook(context: Context, id: string, options: UpdateOptions) {
  const { site: siteId, url, label, kind, userField, skipBacklog, disable } = options;
  const enabled = options.enable ?? (disable ? false : undefined);
  const kinds = kind && { kinds: kind };
  const userFields = userField && { userFields: userField };
  const given = { siteId, url, label, kinds, userFields, enabled, skipBacklog };
  const request = { id, ...present(given) };
  const answer = await withClient(context, ({ sync }) => sync.updateWebhook(request));
  printAnswer(context, options, UpdateWebhookResponseSchema, answer, layOutWebhook);
}

function addRotate(webhook: Command, context: Context): void {
  addCommand(webhook, "rotate-secret", {
    description: "Gives a webhook a new secret; the one before it signs for a day more.",
    examples: ["signet webhook rotate-secret <webhook id> --site <id> --overlap-seconds 3600"],
  })
    .argument("<id>", "the webhook")
    .option(...SITE_FLAGS)
    .addOption(numberOption("--overlap-seconds <n>", "how long the one before it signs"))
    .action((id: string, options: RotateOptions) => rotateSecret(context, id, options));
}

async function rotateSecret(context: Context, id: string, options: RotateOptions): Promise<void> {
  const { site: siteId, overlapSeconds } = options;
  const request = { id, ...present({ siteId, overlapSeconds }) };
  const answer = await withClient(context, ({ sync }) => sync.rotateWebhookSecret(request));
  printAnswer(context, options, RotateWebhookSecretResponseSchema, answer, layOutNewSecret);
}

function addDelete(webhook: Command, context: Context): void {
  addCommand(webhook, "delete", {
    description: "Deletes a webhook with all its deliveries.",
    examples: ["signet webhook delete <webhook id> --site <id> --yes"],
  })
    .argument("<id>", "the webhook")
    .option(...SITE_FLAGS)
    .option(...YES_FLAGS)
    .action((id: string, options: SiteOptions & ConfirmOptions) =>
      deleteWebhook(context, id, options),
    );
}

async function deleteWebhook(
  context: Context,
  id: string,
  options: SiteOptions & ConfirmOptions,
): Promise<void> {
  await confirm(context, `Delete the webhook ${id} with all its deliveries?`, options);
  const request = { id, ...present({ siteId: options.site }) };
  const answer = await withClient(context, ({ sync }) => sync.deleteWebhook(request));
  printAnswer(context, options, DeleteWebhookResponseSchema, answer, () => `${id} is deleted`);
}
