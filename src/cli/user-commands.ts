import type { Command } from "commander";
import { GetUserResponseSchema } from "../../gen/signet/v1/user_service_pb.ts";
import { addCommand, printAnswer } from "./answer.ts";
import type { Context } from "./context.ts";
import { addUserDelete, addUserUpdate } from "./user-change-commands.ts";
import { addUserCreate, addUserInvite } from "./user-create-commands.ts";
import { addUserExport } from "./user-export-command.ts";
import { addUserImport } from "./user-import-command.ts";
import { layOutUserWithSignIn } from "./user-layout.ts";
import { addUserCount, addUserList } from "./user-list-commands.ts";
import { USER_ARGUMENT } from "./user-name.ts";
import { SITE_FLAGS, type SiteOptions, withUser } from "./user-options.ts";
import { addUserStates } from "./user-state-commands.ts";

/** Adds `signet user …`. */
export function addUserCommands(root: Command, context: Context): void {
  const user = root
    .command("user")
    .description("Creates, shows, lists, changes and deletes Users.");
  addUserCreate(user, context);
  addUserInvite(user, context);
  addGet(user, context);
  addUserList(user, context);
  addUserCount(user, context);
  addUserUpdate(user, context);
  addUserStates(user, context);
  addUserDelete(user, context);
  addUserImport(user, context);
  addUserExport(user, context);
}

function addGet(user: Command, context: Context): void {
  addCommand(user, "get", {
    description: "Shows a User and, to who may see that, how it signs in.",
    examples: [
      "signet user get <user id> --site <id>",
      "signet user get ada@example.com --site <id> --json",
      "signet user get external-id:4711",
    ],
  })
    .argument(...USER_ARGUMENT)
    .option(...SITE_FLAGS)
    .action((name: string, options: SiteOptions) => getUser(context, name, options));
}

async function getUser(context: Context, name: string, options: SiteOptions): Promise<void> {
  const answer = await withUser(context, options, name, ({ users }, user) => users.getUser(user));
  printAnswer(context, options, GetUserResponseSchema, answer, layOutUserWithSignIn);
}
