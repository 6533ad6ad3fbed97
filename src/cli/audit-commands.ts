import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import {
  type AuditEvent,
  type ListAuditEventsResponse,
  ListAuditEventsResponseSchema,
} from "../../gen/signet/v1/user_service_pb.ts";
import type { SignetClient } from "../client/index.ts";
import { type AnswerOptions, addCommand, printAnswer } from "./answer.ts";
import { layOutEvents } from "./audit-layout.ts";
import { addAuditVerify } from "./audit-verify-command.ts";
import { withClient } from "./connection.ts";
import type { Context } from "./context.ts";
import { listOption, pastTimeOption, present } from "./options.ts";
import {
  LIMIT_DEFAULT,
  limitOption,
  PAGE_TOKEN_FLAGS,
  type PageOptions,
  readPages,
} from "./pages.ts";
import { findUserId, parseUserName } from "./user-name.ts";

interface ListOptions extends AnswerOptions, PageOptions {
  readonly site?: string;
  readonly withoutSite?: true;
  readonly actor?: string;
  readonly subject?: string;
  readonly kind?: string[];
  readonly since?: Timestamp;
  readonly until?: Timestamp;
  readonly oldestFirst?: true;
}

/** What is no bare id names a User: an address, or a name with a prefix. */
const USER_NAME = /@|^[a-z-]+:/;

/** Adds `signet audit …`. */
export function addAuditCommands(root: Command, context: Context): void {
  const audit = root.command("audit").description("Shows what was done on a Site, and checks it.");
  addList(audit, context);
  addAuditVerify(audit, context);
}

function addList(audit: Command, context: Context): void {
  addCommand(audit, "list", {
    description: "Lists what was done on a Site, by whom and when; the newest first.",
    examples: [
      "signet audit list --site <id> --subject ada@example.com --since 7d",
      "signet audit list --site <id> --kind user.deleted --kind api_key.revoked --json",
      "signet audit list --without-site   # operator keys, for example",
    ],
  })
    .option("--site <id>", "the Site; not needed with a site key")
    .option("--without-site", "what concerns no Site; needs an operator key")
    .option("--actor <id>", "done by this API key or User, who may be named by address, too")
    .option("--subject <id>", "done to this object; a User may be named by address, too")
    .addOption(listOption("--kind <name>", "of this kind, such as user.deleted"))
    .addOption(pastTimeOption("--since <time>", "done then or later", Date.now))
    .addOption(pastTimeOption("--until <time>", "done before", Date.now))
    .option("--oldest-first", "begin with the oldest")
    .addOption(limitOption(LIMIT_DEFAULT))
    .option(...PAGE_TOKEN_FLAGS)
    .action((options: ListOptions) => listEvents(context, options));
}

async function listEvents(context: Context, options: ListOptions): Promise<void> {
  const answer = await withClient(context, (client) => listUpTo(client, options));
  printAnswer(context, options, ListAuditEventsResponseSchema, answer, layOutEvents);
}

async function listUpTo(
  client: SignetClient,
  options: ListOptions,
): Promise<ListAuditEventsResponse> {
  const { site, withoutSite, actor, subject, kind, since, until, oldestFirst } = options;
  const given = { siteId: site, withoutSite, kinds: kind, oldestFirst };
  const who = {
    actorId: actor && (await findId(client, site, actor)),
    subjectId: subject && (await findId(client, site, subject)),
  };
  const request = present({ ...given, ...who, timeFrom: since, timeUntil: until });
  const events: AuditEvent[] = [];
  const nextPageToken = await readPages(options, async (page) => {
    const answer = await client.users.listAuditEvents({ ...request, ...page });
    events.push(...answer.events);
    return { count: events.length, nextPageToken: answer.nextPageToken };
  });
  return create(ListAuditEventsResponseSchema, { events, nextPageToken });
}

async function findId(
  client: SignetClient,
  site: string | undefined,
  text: string,
): Promise<string> {
  return USER_NAME.test(text) ? await findUserId(client, site, parseUserName(text)) : text;
}
