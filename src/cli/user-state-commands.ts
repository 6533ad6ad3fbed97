import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { ResendVerificationResponseSchema } from "../../gen/signet/v1/auth_service_pb.ts";
import { type User, UserState } from "../../gen/signet/v1/user_pb.ts";
import {
  DisableUserResponseSchema,
  EnableUserResponseSchema,
  ResetMfaResponseSchema,
  UnlockUserResponseSchema,
} from "../../gen/signet/v1/user_service_pb.ts";
import type { SignetClient } from "../client/index.ts";
import { addCommand, printAnswer } from "./answer.ts";
import { type ConfirmOptions, confirm, YES_FLAGS } from "./confirm.ts";
import type { Context } from "./context.ts";
import { layOutUser } from "./user-layout.ts";
import { USER_ARGUMENT } from "./user-name.ts";
import { SITE_FLAGS, type SiteOptions, type UserRequest, withUser } from "./user-options.ts";

interface ResetMfaOptions extends SiteOptions, ConfirmOptions {}

interface ResendOptions extends SiteOptions {
  readonly redirectUrl?: string;
}

/** Adds the commands that let a User in, or keep it out. */
export function addUserStates(user: Command, context: Context): void {
  addDisable(user, context);
  addEnable(user, context);
  addUnlock(user, context);
  addResetMfa(user, context);
  addResendVerification(user, context);
}

interface StateCommand<Desc extends DescMessage> {
  readonly name: string;
  readonly description: string;
  readonly schema: Desc;
  call(client: SignetClient, request: UserRequest): Promise<MessageShape<Desc> & OfUser>;
}

interface OfUser {
  readonly user?: User | undefined;
}

function addDisable(user: Command, context: Context): void {
  addStateCommand(user, context, {
    name: "disable",
    description: "Keeps a User from signing in; all its Sessions end.",
    schema: DisableUserResponseSchema,
    call: ({ users }, request) => users.disableUser(request),
  });
}

function addEnable(user: Command, context: Context): void {
  addStateCommand(user, context, {
    name: "enable",
    description: "Lets a disabled User sign in again; its Sessions stay ended.",
    schema: EnableUserResponseSchema,
    call: ({ users }, request) => users.enableUser(request),
  });
}

function addUnlock(user: Command, context: Context): void {
  addStateCommand(user, context, {
    name: "unlock",
    description: "Lifts the lock that too many wrong guesses have brought about.",
    schema: UnlockUserResponseSchema,
    call: ({ users }, request) => users.unlockUser(request),
  });
}

function addStateCommand<Desc extends DescMessage>(
  user: Command,
  context: Context,
  { name, description, schema, call }: StateCommand<Desc>,
): void {
  const examples = [`signet user ${name} ada@example.com --site <id>`];
  addUserCommand(user, name, { description, examples }).action(
    async (named: string, options: SiteOptions) => {
      const answer = await withUser(context, options, named, call);
      printAnswer(context, options, schema, answer, () => layOutUser(answer));
    },
  );
}

function addResetMfa(user: Command, context: Context): void {
  addUserCommand(user, "reset-mfa", {
    description: "Removes the second factor of a User who has lost it; all its Sessions end.",
    examples: ["signet user reset-mfa ada@example.com --site <id>"],
  })
    .option(...YES_FLAGS)
    .action(async (name: string, options: ResetMfaOptions) => {
      const answer = await withUser(context, options, name, async ({ users }, request) => {
        const question = `Remove the second factor of ${name} (${request.userId})?`;
        await confirm(context, question, options);
        return await users.resetMfa(request);
      });
      printAnswer(context, options, ResetMfaResponseSchema, answer, layOutUser);
    });
}

function addResendVerification(user: Command, context: Context): void {
  addUserCommand(user, "resend-verification", {
    description:
      "Sends another mail with a link that verifies the address of a User. " +
      "A site key needs the scopes auth and users.read.",
    examples: ["signet user resend-verification ada@example.com --site <id>"],
  })
    .option("--redirect-url <url>", "where the link leads on to; one of the Site's")
    .action((name: string, options: ResendOptions) => resend(context, name, options));
}

/** The RPC answers alike whatever the state of the User is; whoever asks here may know it. */
async function resend(context: Context, name: string, options: ResendOptions): Promise<void> {
  const { redirectUrl = "" } = options;
  let email = "";
  const answer = await withUser(context, options, name, async ({ auth, users }, request) => {
    const { user } = await users.getUser(request);
    requireUnverified(user);
    email = user?.email ?? "";
    const { siteId = "" } = request;
    return await auth.resendVerification({ siteId, email, redirectUrl });
  });
  const text = `A mail with a link is on its way to ${email}.`;
  printAnswer(context, options, ResendVerificationResponseSchema, answer, () => text);
}

function requireUnverified(user: User | undefined): void {
  if (user?.state === UserState.INVITED) {
    throw new Error("the User is invited, and has no account yet: repeat `signet user invite`");
  }
  if (user?.state === UserState.DISABLED) {
    throw new Error("the User is disabled: `signet user enable` comes first");
  }
  if (user?.email === "") throw new Error("the User has no address");
  if (user?.emailVerified) throw new Error(`${user.email} is verified already; no mail was sent`);
}

function addUserCommand(
  user: Command,
  name: string,
  about: { readonly description: string; readonly examples: readonly string[] },
): Command {
  return addCommand(user, name, about)
    .argument(...USER_ARGUMENT)
    .option(...SITE_FLAGS);
}
