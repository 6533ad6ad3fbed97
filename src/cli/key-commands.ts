import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { type Scope, ScopeSchema } from "../../gen/signet/v1/access_pb.ts";
import type { ApiKey } from "../../gen/signet/v1/site_pb.ts";
import {
  CreateApiKeyResponseSchema,
  type ListApiKeysResponse,
  ListApiKeysResponseSchema,
  RevokeApiKeyResponseSchema,
} from "../../gen/signet/v1/site_service_pb.ts";
import type { SignetClient } from "../client/index.ts";
import { type AnswerOptions, addCommand, printAnswer } from "./answer.ts";
import { type ConfirmOptions, confirm, YES_FLAGS } from "./confirm.ts";
import { withClient } from "./connection.ts";
import type { Context } from "./context.ts";
import { enumWords } from "./enum-words.ts";
import { layOutKey, layOutKeys, layOutNewKey } from "./key-layout.ts";
import { enumListOption, listOption, present, timeOption } from "./options.ts";

const PAGE_SIZE = 500;

interface CreateKeyOptions extends AnswerOptions {
  readonly site?: string;
  readonly operator?: true;
  readonly label: string;
  readonly scope?: Scope[];
  readonly userField?: string[];
  readonly expireTime?: Timestamp;
  readonly id?: string;
}

interface ListKeysOptions extends AnswerOptions {
  readonly site?: string;
  readonly operator?: true;
  readonly all?: true;
}

interface RevokeKeyOptions extends AnswerOptions, ConfirmOptions {
  readonly site?: string;
}

/** Adds `signet key …`. */
export function addKeyCommands(root: Command, context: Context): void {
  const key = root.command("key").description("Creates, lists and revokes API keys.");
  addCreate(key, context);
  addList(key, context);
  addRevoke(key, context);
}

function addCreate(key: Command, context: Context): void {
  addCommand(key, "create", {
    description: "Creates a key and shows its secret, for the only time.",
    examples: [
      'signet key create --site <id> --label "blog backend" --scope auth --scope sync',
      "signet key create --site <id> --label reports --scope users.read --expire-time 90d \\",
      "    --user-field id --user-field email",
      "signet key create --operator --label deployments --json",
    ],
  })
    .requiredOption("--label <text>", "what the key is for")
    .option("--site <id>", "its Site; not needed with a site key")
    .addOption(enumListOption("--scope <word>", "what it may do", enumWords(ScopeSchema, ".")))
    .addOption(listOption("--user-field <name>", "a field of Users that it may see, else all"))
    .addOption(timeOption("--expire-time <time>", "when it stops to work", Date.now))
    .option("--operator", "make an operator key instead, without Site and scopes")
    .option("--id <uuid>", "its id; a repeat with the same id answers without the secret")
    .action((options: CreateKeyOptions) => createKey(context, options));
}

async function createKey(context: Context, options: CreateKeyOptions): Promise<void> {
  const { site, scope, userField, operator, label, id, expireTime } = options;
  const given = { siteId: site, operator, label, id, expireTime };
  const request = present({ ...given, scopes: scope, userFields: userField });
  const answer = await withClient(context, ({ sites }) => sites.createApiKey(request));
  printAnswer(context, options, CreateApiKeyResponseSchema, answer, layOutNewKey);
}

function addList(key: Command, context: Context): void {
  addCommand(key, "list", {
    description: "Lists keys, the newest first, without their secrets.",
    examples: ["signet key list --site <id>", "signet key list --site <id> --all --json"],
  })
    .option("--site <id>", "their Site; not needed with a site key")
    .option("--operator", "list the operator keys instead")
    .option("--all", "also those that are revoked or have expired")
    .action((options: ListKeysOptions) => listKeys(context, options));
}

async function listKeys(context: Context, options: ListKeysOptions): Promise<void> {
  const answer = await withClient(context, (client) => listAllKeys(client, options));
  printAnswer(context, options, ListApiKeysResponseSchema, answer, layOutKeys);
}

/** Asks for page after page; a Site has few keys, so that they fit into one answer. */
export async function listAllKeys(
  { sites }: SignetClient,
  { site, operator, all }: ListKeysOptions,
): Promise<ListApiKeysResponse> {
  const request = present({ siteId: site, operator, includeInactive: all });
  const apiKeys: ApiKey[] = [];
  let pageToken = "";
  do {
    const page = await sites.listApiKeys({ ...request, pageSize: PAGE_SIZE, pageToken });
    apiKeys.push(...page.apiKeys);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return create(ListApiKeysResponseSchema, { apiKeys });
}

function addRevoke(key: Command, context: Context): void {
  addCommand(key, "revoke", {
    description: "Revokes a key for good; every process refuses it within a second.",
    examples: ["signet key revoke <key id> --site <id> --yes"],
  })
    .argument("<id>", "the key's id, not its secret")
    .option("--site <id>", "its Site; not needed with a site key, or for an operator key")
    .option(...YES_FLAGS)
    .action((id: string, options: RevokeKeyOptions) => revokeKey(context, id, options));
}

async function revokeKey(context: Context, id: string, options: RevokeKeyOptions): Promise<void> {
  await confirm(context, `Revoke the key ${id} for good?`, options);
  const request = { ...present({ siteId: options.site }), apiKeyId: id };
  const answer = await withClient(context, ({ sites }) => sites.revokeApiKey(request));
  printAnswer(context, options, RevokeApiKeyResponseSchema, answer, layOutKey);
}
