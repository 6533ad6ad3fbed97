import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  ListSessionsResponseSchema,
  RevokeAllSessionsResponseSchema,
  RevokeSessionResponseSchema,
} from "../../gen/signet/v1/auth_service_pb.ts";
import type { Session } from "../../gen/signet/v1/session_pb.ts";
import { addCommand, printAnswer } from "./answer.ts";
import { type ConfirmOptions, confirm, YES_FLAGS } from "./confirm.ts";
import { withClient } from "./connection.ts";
import type { Context } from "./context.ts";
import { present } from "./options.ts";
import {
  LIMIT_DEFAULT,
  limitOption,
  PAGE_TOKEN_FLAGS,
  type PageOptions,
  readPages,
} from "./pages.ts";
import { layOutAllRevoked, layOutRevoked, layOutSessions } from "./session-layout.ts";
import { USER_ARGUMENT } from "./user-name.ts";
import { SITE_FLAGS, type SiteOptions, withUser } from "./user-options.ts";

interface ListSessionsOptions extends SiteOptions, PageOptions {}

interface RevokeAllOptions extends SiteOptions, ConfirmOptions {}

/** Adds `signet session …`. */
export function addSessionCommands(root: Command, context: Context): void {
  const session = root.command("session").description("Lists and ends the Sessions of Users.");
  addList(session, context);
  addRevoke(session, context);
  addRevokeAll(session, context);
}

function addList(session: Command, context: Context): void {
  addCommand(session, "list", {
    description: "Lists the Sessions of a User that have not ended, the newest first.",
    examples: [
      "signet session list ada@example.com --site <id>",
      "signet session list <user id> --json",
    ],
  })
    .argument(...USER_ARGUMENT)
    .option(...SITE_FLAGS)
    .addOption(limitOption(LIMIT_DEFAULT))
    .option(...PAGE_TOKEN_FLAGS)
    .action((name: string, options: ListSessionsOptions) => listSessions(context, name, options));
}

async function listSessions(
  context: Context,
  name: string,
  options: ListSessionsOptions,
): Promise<void> {
  const sessions: Session[] = [];
  const nextPageToken = await withUser(context, options, name, ({ auth }, user) =>
    readPages(options, async (page) => {
      const answer = await auth.listSessions({ ...user, ...page });
      sessions.push(...answer.sessions);
      return { count: sessions.length, nextPageToken: answer.nextPageToken };
    }),
  );
  const answer = create(ListSessionsResponseSchema, { sessions, nextPageToken });
  printAnswer(context, options, ListSessionsResponseSchema, answer, layOutSessions);
}

function addRevoke(session: Command, context: Context): void {
  addCommand(session, "revoke", {
    description: "Ends one Session; within a second no process accepts its tokens.",
    examples: ["signet session revoke <session id> --site <id>"],
  })
    .argument("<id>", "the Session")
    .option(...SITE_FLAGS)
    .action(async (sessionId: string, options: SiteOptions) => {
      const request = { ...present({ siteId: options.site }), sessionId };
      const answer = await withClient(context, ({ auth }) => auth.revokeSession(request));
      printAnswer(context, options, RevokeSessionResponseSchema, answer, layOutRevoked);
    });
}

function addRevokeAll(session: Command, context: Context): void {
  addCommand(session, "revoke-all", {
    description: "Ends all Sessions of a User, who may sign in again.",
    examples: ["signet session revoke-all ada@example.com --site <id> --yes"],
  })
    .argument(...USER_ARGUMENT)
    .option(...SITE_FLAGS)
    .option(...YES_FLAGS)
    .action(async (name: string, options: RevokeAllOptions) => {
      const answer = await withUser(context, options, name, async ({ auth }, user) => {
        await confirm(context, `End all Sessions of ${name} (${user.userId})?`, options);
        return await auth.revokeAllSessions(user);
      });
      printAnswer(context, options, RevokeAllSessionsResponseSchema, answer, layOutAllRevoked);
    });
}
