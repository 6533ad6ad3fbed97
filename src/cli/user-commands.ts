import type { JsonObject } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  CreateUserResponseSchema,
  DeleteUserResponseSchema,
  GetUserResponseSchema,
  LookupUserResponseSchema,
  UpdateUserResponseSchema,
} from "../../gen/signet/v1/user_service_pb.ts";
import { type AnswerOptions, addCommand, printAnswer } from "./answer.ts";
import { confirm } from "./confirm.ts";
import { withClient } from "./connection.ts";
import { type Context, UsageError } from "./context.ts";
import { jsonOption, listOption, numberOption, present } from "./options.ts";
import { layOutUser, layOutUserWithSignIn } from "./user-layout.ts";
import { addUserCount, addUserList } from "./user-list-commands.ts";

interface SiteOptions extends AnswerOptions {
  readonly site?: string;
}

interface UserFields extends SiteOptions {
  readonly email?: string;
  readonly emailVerified?: boolean;
  readonly username?: string;
  readonly displayName?: string;
  readonly pictureUrl?: string;
  readonly locale?: string;
  readonly role?: string[];
  readonly externalId?: string;
  readonly metadata?: JsonObject;
  readonly deletionProtected?: boolean;
}

interface CreateUserOptions extends UserFields {
  readonly email: string;
  readonly id?: string;
}

interface UpdateUserOptions extends UserFields {
  readonly expectedVersion?: number;
  readonly roles: boolean;
}

interface GetUserOptions extends SiteOptions {
  readonly email?: string;
  readonly username?: string;
  readonly externalId?: string;
}

interface DeleteUserOptions extends SiteOptions {
  readonly expectedVersion?: number;
  readonly yes?: true;
}

const SITE_FLAGS = ["--site <id>", "the User's Site; not needed with a site key"] as const;
const VERSION_FLAGS = ["--expected-version <n>", "refuse unless the User is at it"] as const;

/** Adds `signet user …`. */
export function addUserCommands(root: Command, context: Context): void {
  const user = root.command("user").description("creates, shows, lists, changes and deletes Users");
  addCreate(user, context);
  addGet(user, context);
  addUserList(user, context);
  addUserCount(user, context);
  addUpdate(user, context);
  addDelete(user, context);
}

function addCreate(user: Command, context: Context): void {
  const command = addCommand(user, "create", {
    description: "Creates a User without a password, who sets one by a link in a mail.",
    examples: [
      "signet user create --site <id> --email ada@example.com --display-name 'Ada Lovelace'",
      "signet user create --site <id> --email eve@example.com --role user --role editor \\",
      `    --external-id 4711 --metadata '{"plan":"free"}' --json`,
    ],
  })
    .requiredOption("--email <address>", "the address")
    .option("--id <uuid>", "its id; a repeat with the same id answers as the first call did");
  addUserFields(command).action((options: CreateUserOptions) => createUser(context, options));
}

async function createUser(context: Context, options: CreateUserOptions): Promise<void> {
  const { email, id, role } = options;
  const request = present({ ...fieldsOf(options), id, email, roles: role });
  const answer = await withClient(context, ({ users }) => users.createUser(request));
  printAnswer(context, options, CreateUserResponseSchema, answer, layOutUser);
}

function addGet(user: Command, context: Context): void {
  addCommand(user, "get", {
    description: "Shows a User, found by its id or by one of the options.",
    examples: [
      "signet user get <user id> --site <id>",
      "signet user get --email ada@example.com --site <id> --json",
    ],
  })
    .argument("[id]", "the User")
    .option(...SITE_FLAGS)
    .option("--email <address>", "find it by its address")
    .option("--username <name>", "find it by its username")
    .option("--external-id <id>", "find it by its id in another system")
    .action((id: string | undefined, options: GetUserOptions) => getUser(context, id, options));
}

async function getUser(
  context: Context,
  userId: string | undefined,
  options: GetUserOptions,
): Promise<void> {
  const site = present({ siteId: options.site });
  const ref = refOf(userId, options);
  if (ref.case === "id") {
    const request = { ...site, userId: ref.value };
    const answer = await withClient(context, ({ users }) => users.getUser(request));
    return printAnswer(context, options, GetUserResponseSchema, answer, layOutUserWithSignIn);
  }
  const request = { ...site, user: { ref } };
  const answer = await withClient(context, ({ users }) => users.lookupUser(request));
  printAnswer(context, options, LookupUserResponseSchema, answer, layOutUser);
}

function refOf(id: string | undefined, { email, username, externalId }: GetUserOptions) {
  const ways = [
    { case: "id" as const, value: id },
    { case: "email" as const, value: email },
    { case: "username" as const, value: username },
    { case: "externalId" as const, value: externalId },
  ];
  const [ref, ...others] = ways.flatMap(({ value, ...way }) =>
    value === undefined ? [] : [{ ...way, value }],
  );
  if (ref && others.length === 0) return ref;
  throw new UsageError("give one of: an id, --email, --username, --external-id");
}

function addUpdate(user: Command, context: Context): void {
  const command = addCommand(user, "update", {
    description: "Changes what is given of a User, and nothing else.",
    examples: [
      "signet user update <user id> --site <id> --display-name 'Ada King'",
      "signet user update <user id> --site <id> --role user --role admin --expected-version 3",
    ],
  })
    .argument("<id>", "the User")
    .option("--email <address>", "the address")
    .option("--no-email-verified", "take back that the address is the User's")
    .option("--no-roles", "take all roles away")
    .option("--no-deletion-protected", "let the User be deleted")
    .addOption(numberOption(...VERSION_FLAGS));
  addUserFields(command).action((id: string, options: UpdateUserOptions) =>
    updateUser(context, id, options),
  );
}

async function updateUser(
  context: Context,
  userId: string,
  options: UpdateUserOptions,
): Promise<void> {
  const { role, roles, email, expectedVersion } = options;
  if (role && !roles) throw new UsageError("give --role or --no-roles, not both");
  const request = {
    ...present({ ...fieldsOf(options), email, expectedVersion: toVersion(expectedVersion) }),
    ...(role || !roles ? { roles: { roles: role ?? [] } } : {}),
    userId,
  };
  const answer = await withClient(context, ({ users }) => users.updateUser(request));
  printAnswer(context, options, UpdateUserResponseSchema, answer, layOutUser);
}

function addDelete(user: Command, context: Context): void {
  addCommand(user, "delete", {
    description: "Deletes a User for good: personal data are erased, and mirrors follow.",
    examples: ["signet user delete <user id> --site <id> --yes"],
  })
    .argument("<id>", "the User")
    .option(...SITE_FLAGS)
    .option("--yes", "do not ask")
    .addOption(numberOption(...VERSION_FLAGS))
    .action((id: string, options: DeleteUserOptions) => deleteUser(context, id, options));
}

async function deleteUser(
  context: Context,
  userId: string,
  options: DeleteUserOptions,
): Promise<void> {
  await confirm(context, `Delete the User ${userId} for good?`, options);
  const expectedVersion = toVersion(options.expectedVersion);
  const request = { ...present({ siteId: options.site, expectedVersion }), userId };
  const answer = await withClient(context, ({ users }) => users.deleteUser(request));
  printAnswer(context, options, DeleteUserResponseSchema, answer, layOutUser);
}

/** Adds the options that creating and changing a User share. */
function addUserFields(command: Command): Command {
  return command
    .option(...SITE_FLAGS)
    .option("--email-verified", "answer for it that the User receives mail there")
    .option("--username <name>", "a name to sign in with")
    .option("--display-name <name>", "the name to show")
    .option("--picture-url <url>", "a picture")
    .option("--locale <tag>", "the language, such as de-AT")
    .addOption(listOption("--role <name>", "a role"))
    .option("--external-id <id>", "the User's id in another system")
    .addOption(jsonOption("--metadata <json>", "public attributes, as a JSON object"))
    .option("--deletion-protected", "refuse to delete the User");
}

function fieldsOf(options: UserFields) {
  const { site, emailVerified, username, displayName, pictureUrl, locale } = options;
  const { externalId, metadata, deletionProtected } = options;
  return {
    siteId: site,
    emailVerified,
    username,
    displayName,
    pictureUrl,
    locale,
    externalId,
    metadata,
    deletionProtected,
  };
}

function toVersion(version: number | undefined): bigint | undefined {
  return version === undefined ? undefined : BigInt(version);
}
