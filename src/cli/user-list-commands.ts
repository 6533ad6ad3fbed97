import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { type User, type UserState, UserStateSchema } from "../../gen/signet/v1/user_pb.ts";
import {
  CountUsersResponseSchema,
  type ListUsersResponse,
  ListUsersResponseSchema,
} from "../../gen/signet/v1/user_service_pb.ts";
import type { SignetClient } from "../client/index.ts";
import { type AnswerOptions, addCommand, printAnswer } from "./answer.ts";
import { withClient } from "./connection.ts";
import { type Context, UsageError } from "./context.ts";
import { enumWords } from "./enum-words.ts";
import { enumListOption, pastTimeOption, present } from "./options.ts";
import { LIMIT_DEFAULT, limitOption, PAGE_TOKEN_FLAGS, readPages } from "./pages.ts";
import { layOutUsers } from "./user-layout.ts";

/** Which Users are meant. */
export interface FilterOptions extends AnswerOptions {
  readonly site?: string;
  readonly state?: UserState[];
  readonly role?: string;
  readonly emailVerified?: boolean;
  readonly createdSince?: Timestamp;
  readonly updatedSince?: Timestamp;
  readonly emailPrefix?: string;
  readonly usernamePrefix?: string;
}

interface ListOptions extends FilterOptions {
  readonly limit: number;
  readonly pageToken?: string;
}

/** Adds `signet user list`. */
export function addUserList(user: Command, context: Context): void {
  const command = addCommand(user, "list", {
    description: "Lists the Users of a Site by id, or by the name whose prefix is given.",
    examples: [
      "signet user list --site <id>",
      "signet user list --site <id> --state disabled --state invited --updated-since 7d",
      "signet user list --email-prefix ada --limit 1000 --json",
    ],
  })
    .addOption(limitOption(LIMIT_DEFAULT))
    .option(...PAGE_TOKEN_FLAGS);
  addFilter(command).action((options: ListOptions) => listUsers(context, options));
}

/** Adds `signet user count`. */
export function addUserCount(user: Command, context: Context): void {
  const command = addCommand(user, "count", {
    description: "Counts the Users of a Site.",
    examples: [
      "signet user count --site <id>",
      "signet user count --role admin --no-email-verified --json",
    ],
  });
  addFilter(command).action((options: FilterOptions) => countUsers(context, options));
}

async function listUsers(context: Context, options: ListOptions): Promise<void> {
  const answer = await withClient(context, (client) => readList(client, options));
  printAnswer(context, options, ListUsersResponseSchema, answer, layOutUsers);
}

async function readList(client: SignetClient, options: ListOptions): Promise<ListUsersResponse> {
  const request = requestOf(options);
  const users: User[] = [];
  let syncCursor = "";
  const nextPageToken = await readPages(options, async (page) => {
    const answer = await client.users.listUsers({ ...request, ...page });
    users.push(...answer.users);
    syncCursor = answer.syncCursor;
    return { count: users.length, nextPageToken: answer.nextPageToken };
  });
  return create(ListUsersResponseSchema, { users, nextPageToken, syncCursor });
}

async function countUsers(context: Context, options: FilterOptions): Promise<void> {
  const request = requestOf(options);
  const answer = await withClient(context, ({ users }) => users.countUsers(request));
  printAnswer(context, options, CountUsersResponseSchema, answer, ({ count }) => `${count}`);
}

/** Adds the options of a filter, which listing, counting and exporting share. */
export function addFilter(command: Command): Command {
  return command
    .option("--site <id>", "their Site; not needed with a site key")
    .addOption(enumListOption("--state <word>", "in these states, else all but deleted", STATES))
    .option("--role <name>", "with this role")
    .option("--email-verified", "with a verified address")
    .option("--no-email-verified", "with an address that is not verified")
    .addOption(pastTimeOption("--created-since <time>", "created then or later", Date.now))
    .addOption(pastTimeOption("--updated-since <time>", "changed then or later", Date.now))
    .option("--email-prefix <text>", "with an address that begins so")
    .option("--username-prefix <text>", "with a username that begins so");
}

const STATES = enumWords(UserStateSchema);

/** Returns the part of a request that {@link addFilter} is about. */
export function requestOf(options: FilterOptions) {
  const { site, state, role, emailVerified, createdSince, updatedSince } = options;
  const filter = present({
    states: state,
    role,
    emailVerified,
    createTimeFrom: createdSince,
    updateTimeFrom: updatedSince,
    prefix: prefixOf(options),
  });
  return { ...present({ siteId: site }), filter };
}

function prefixOf({ emailPrefix, usernamePrefix }: FilterOptions) {
  if (emailPrefix !== undefined && usernamePrefix !== undefined) {
    throw new UsageError("give --email-prefix or --username-prefix, not both");
  }
  if (emailPrefix !== undefined) return { case: "emailPrefix", value: emailPrefix } as const;
  if (usernamePrefix === undefined) return undefined;
  return { case: "usernamePrefix", value: usernamePrefix } as const;
}
