import type { Command } from "commander";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import {
  CreateUserResponseSchema,
  InviteUserResponseSchema,
} from "../../gen/signet/v1/user_service_pb.ts";
import { addCommand, printAnswer } from "./answer.ts";
import { withClient } from "./connection.ts";
import type { Context } from "./context.ts";
import { present } from "./options.ts";
import { layOutInvited, layOutUser } from "./user-layout.ts";
import { addUserFields, type UserFields, userFieldsOf } from "./user-options.ts";

interface NewUserOptions extends UserFields {
  readonly email: string;
  readonly id?: string;
}

interface CreateUserOptions extends NewUserOptions {
  readonly emailVerified?: true;
  readonly pictureUrl?: string;
  readonly deletionProtected?: true;
}

interface InviteUserOptions extends NewUserOptions {
  readonly redirectUrl?: string;
  readonly returnToken?: true;
}

const ID_FLAGS = [
  "--id <uuid>",
  "its id; a repeat with the same id answers as the first call did",
] as const;

/** Adds `signet user create`. */
export function addUserCreate(user: Command, context: Context): void {
  const command = addCommand(user, "create", {
    description: "Creates a User without a password, and sends no mail.",
    examples: [
      "signet user create --site <id> --email ada@example.com --display-name 'Ada Lovelace'",
      "signet user create --site <id> --email eve@example.com --role user --role editor \\",
      `    --external-id 4711 --metadata '{"plan":"free"}' --json`,
    ],
  })
    .requiredOption("--email <address>", "the address")
    .option(...ID_FLAGS);
  addUserFields(command)
    .option("--email-verified", "answer for it that the User receives mail there")
    .option("--picture-url <url>", "a picture")
    .option("--deletion-protected", "refuse to delete the User")
    .action((options: CreateUserOptions) => createUser(context, options));
}

/** Adds `signet user invite`. */
export function addUserInvite(user: Command, context: Context): void {
  const command = addCommand(user, "invite", {
    description:
      "Creates a User who sets a password by a link in a mail; whoever is invited already gets " +
      "another link, and the older one is void.",
    examples: [
      "signet user invite --site <id> --email ada@example.com --role user --locale de",
      "signet user invite --site <id> --email ada@example.com --return-token --json",
    ],
  })
    .requiredOption("--email <address>", "the address")
    .option(...ID_FLAGS);
  addUserFields(command)
    .option("--redirect-url <url>", "where the link leads on to; one of the Site's")
    .option("--return-token", "print the token in place of a mail; wants the scope auth.tokens")
    .action((options: InviteUserOptions) => inviteUser(context, options));
}

async function createUser(context: Context, options: CreateUserOptions): Promise<void> {
  const { email, id, role, emailVerified, pictureUrl, deletionProtected } = options;
  const more = { emailVerified, pictureUrl, deletionProtected };
  const request = present({ ...userFieldsOf(options), ...more, id, email, roles: role });
  const answer = await withClient(context, ({ users }) => users.createUser(request));
  printAnswer(context, options, CreateUserResponseSchema, answer, layOutUser);
}

async function inviteUser(context: Context, options: InviteUserOptions): Promise<void> {
  const { email, id, role, redirectUrl, returnToken } = options;
  const delivery = returnToken ? Delivery.RETURN_TOKEN : undefined;
  const more = { redirectUrl, delivery };
  const request = present({ ...userFieldsOf(options), ...more, id, email, roles: role });
  const answer = await withClient(context, ({ users }) => users.inviteUser(request));
  printAnswer(context, options, InviteUserResponseSchema, answer, layOutInvited);
}
