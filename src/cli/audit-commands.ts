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
import { listOption, numberOption, pastTimeOption, present } from "./options.ts";

interface ListOptions extends AnswerOptions {
  readonly site?: string;
  readonly actor?: string;
  readonly subject?: string;
  readonly kind?: string[];
  readonly since?: Timestamp;
  readonly until?: Timestamp;
  readonly oldestFirst?: true;
  readonly limit: number;
}

const PAGE_SIZE = 500;
const LIMIT_DEFAULT = 50;

/** Adds `signet audit …`. */
export function addAuditCommands(root: Command, context: Context): void {
  const audit = root.command("audit").description("shows what was done on a Site, and checks it");
  addList(audit, context);
  addAuditVerify(audit, context);
}

function addList(audit: Command, context: Context): void {
  addCommand(audit, "list", {
    description: "Lists what was done on a Site, by whom and when; the newest first.",
    examples: [
      "signet audit list --site <id> --subject <user id> --since 7d",
      "signet audit list --site <id> --kind user.deleted --kind api_key.revoked --json",
    ],
  })
    .option("--site <id>", "the Site; not needed with a site key")
    .option("--actor <id>", "done by the User or API key with this id")
    .option("--subject <id>", "done to the object with this id")
    .addOption(listOption("--kind <name>", "of this kind, such as user.deleted"))
    .addOption(pastTimeOption("--since <time>", "done then or later", Date.now))
    .addOption(pastTimeOption("--until <time>", "done before", Date.now))
    .option("--oldest-first", "begin with the oldest")
    .addOption(numberOption("--limit <n>", "at most so many").default(LIMIT_DEFAULT))
    .action((options: ListOptions) => listEvents(context, options));
}

async function listEvents(context: Context, options: ListOptions): Promise<void> {
  const answer = await withClient(context, (client) => listUpTo(client, options));
  printAnswer(context, options, ListAuditEventsResponseSchema, answer, layOutEvents);
}

/** Asks for page after page, up to the limit. */
async function listUpTo(
  { users }: SignetClient,
  { site, actor, subject, kind, since, until, oldestFirst, limit }: ListOptions,
): Promise<ListAuditEventsResponse> {
  const given = { siteId: site, actorId: actor, subjectId: subject, kinds: kind };
  const order = { timeFrom: since, timeUntil: until, oldestFirst };
  const request = { ...present({ ...given, ...order }), pageSize: Math.min(limit, PAGE_SIZE) };
  const events: AuditEvent[] = [];
  let pageToken = "";
  do {
    const page = await users.listAuditEvents({ ...request, pageToken });
    events.push(...page.events);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && events.length < limit);
  return create(ListAuditEventsResponseSchema, { events: events.slice(0, limit) });
}
