import type { Command } from "commander";
import {
  DeleteUserResponseSchema,
  UpdateUserResponseSchema,
} from "../../gen/signet/v1/user_service_pb.ts";
import { addCommand, printAnswer } from "./answer.ts";
import { type ConfirmOptions, confirm, YES_FLAGS } from "./confirm.ts";
import { type Context, UsageError } from "./context.ts";
import { numberOption, present } from "./options.ts";
import { layOutUser } from "./user-layout.ts";
import { USER_ARGUMENT } from "./user-name.ts";
import {
  addUserFields,
  SITE_FLAGS,
  type SiteOptions,
  toVersion,
  type UserFields,
  userFieldsOf,
  VERSION_FLAGS,
  withUser,
} from "./user-options.ts";

interface UpdateOptions extends UserFields {
  readonly email?: string;
  readonly emailVerified?: boolean;
  readonly pictureUrl?: string;
  readonly deletionProtected?: boolean;
  readonly expectedVersion?: number;
  readonly roles: boolean;
}

interface DeleteOptions extends SiteOptions, ConfirmOptions {
  readonly expectedVersion?: number;
}

/** Adds `signet user update`. */
export function addUserUpdate(user: Command, context: Context): void {
  const command = addCommand(user, "update", {
    description: "Changes what is given of a User, and nothing else; '' empties a field.",
    examples: [
      "signet user update ada@example.com --site <id> --display-name 'Ada King'",
      "signet user update <id> --role user --role admin --expected-version 3",
      "signet user update external-id:4711 --username ''",
    ],
  }).argument(...USER_ARGUMENT);
  addUserFields(command)
    .option("--email <address>", "the address")
    .option("--email-verified", "answer for it that the User receives mail there")
    .option("--no-email-verified", "take back that the address is the User's")
    .option("--picture-url <url>", "a picture")
    .option("--no-roles", "take all roles away")
    .option("--deletion-protected", "refuse to delete the User")
    .option("--no-deletion-protected", "let the User be deleted")
    .addOption(numberOption(...VERSION_FLAGS))
    .action((name: string, options: UpdateOptions) => updateUser(context, name, options));
}

/** Adds `signet user delete`. */
export function addUserDelete(user: Command, context: Context): void {
  addCommand(user, "delete", {
    description: "Deletes a User for good: personal data are erased, and mirrors follow.",
    examples: ["signet user delete ada@example.com --site <id>", "signet user delete <id> --yes"],
  })
    .argument(...USER_ARGUMENT)
    .option(...SITE_FLAGS)
    .option(...YES_FLAGS)
    .addOption(numberOption(...VERSION_FLAGS))
    .action((name: string, options: DeleteOptions) => deleteUser(context, name, options));
}

async function updateUser(context: Context, name: string, options: UpdateOptions): Promise<void> {
  const { role, roles, email, emailVerified, pictureUrl, deletionProtected } = options;
  if (role && !roles) throw new UsageError("give --role or --no-roles, not both");
  const expectedVersion = toVersion(options.expectedVersion);
  const more = { email, emailVerified, pictureUrl, deletionProtected, expectedVersion };
  const changes = {
    ...present({ ...userFieldsOf(options), ...more }),
    ...(role || !roles ? { roles: { roles: role ?? [] } } : {}),
  };
  const answer = await withUser(context, options, name, ({ users }, user) =>
    users.updateUser({ ...changes, ...user }),
  );
  printAnswer(context, options, UpdateUserResponseSchema, answer, layOutUser);
}

async function deleteUser(context: Context, name: string, options: DeleteOptions): Promise<void> {
  const version = present({ expectedVersion: toVersion(options.expectedVersion) });
  const answer = await withUser(context, options, name, async ({ users }, user) => {
    await confirm(context, `Delete the User ${name} (${user.userId}) for good?`, options);
    return await users.deleteUser({ ...version, ...user });
  });
  printAnswer(context, options, DeleteUserResponseSchema, answer, layOutUser);
}
