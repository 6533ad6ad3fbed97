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
import { enumListOption, numberOption, pastTimeOption, present } from "./options.ts";
import { layOutUsers } from "./user-layout.ts";

const PAGE_SIZE_MAX = 500;
const LIMIT_DEFAULT = 50;

interface FilterOptions extends AnswerOptions {
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
    .addOption(numberOption("--limit <n>", "show at most so many").default(LIMIT_DEFAULT))
    .option("--page-token <token>", "go on where a list has ended");
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
  const request = requestOf(options);
  const answer = await withClient(context, (client) => readPages(client, request, options));
  printAnswer(context, options, ListUsersResponseSchema, answer, layOutUsers);
}

/** Asks for page after page: one may hold less than was asked for, and more may follow it. */
async function readPages(
  { users }: SignetClient,
  request: ReturnType<typeof requestOf>,
  { limit, pageToken: first = "" }: ListOptions,
): Promise<ListUsersResponse> {
  if (limit === 0) throw new UsageError("--limit must be 1 or more");
  const found: User[] = [];
  let [pageToken, syncCursor] = [first, ""];
  do {
    const pageSize = Math.min(limit - found.length, PAGE_SIZE_MAX);
    const page = await users.listUsers({ ...request, pageSize, pageToken });
    found.push(...page.users);
    pageToken = page.nextPageToken;
    syncCursor = page.syncCursor;
  } while (pageToken !== "" && found.length < limit);
  return create(ListUsersResponseSchema, { users: found, nextPageToken: pageToken, syncCursor });
}

async function countUsers(context: Context, options: FilterOptions): Promise<void> {
  const request = requestOf(options);
  const answer = await withClient(context, ({ users }) => users.countUsers(request));
  printAnswer(context, options, CountUsersResponseSchema, answer, ({ count }) => `${count}`);
}

/** Adds the options of a filter, which listing and counting share. */
function addFilter(command: Command): Command {
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

function requestOf(options: FilterOptions) {
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
