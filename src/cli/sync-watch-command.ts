import type { Command } from "commander";
import type { ChangeKind, Subscription, SubscriptionItem } from "../client/index.ts";
import { type AnswerOptions, addCommand } from "./answer.ts";
import { withClient } from "./connection.ts";
import { type Context, UsageError } from "./context.ts";
import { listenForInterruption } from "./interruption.ts";
import { enumListOption, listOption } from "./options.ts";
import { describeStatus } from "./status-line.ts";
import { CHANGE_KINDS, toJsonLines, toPlainLines } from "./stream-line.ts";
import { findUserIds, parseUserName } from "./user-name.ts";

interface WatchOptions extends AnswerOptions {
  readonly site?: string;
  readonly fromStart?: true;
  readonly head?: true;
  readonly cursor?: string;
  readonly kind?: ChangeKind[];
  readonly user?: string[];
  readonly clientId?: string;
}

/** Adds `signet sync watch`. */
export function addSyncWatch(sync: Command, context: Context): void {
  addCommand(sync, "watch", {
    description: "Follows the Changes of a Site until Ctrl-C, over lost connections.",
    examples: [
      "signet sync watch --site <id>",
      "signet sync watch --kind created --kind deleted",
      "signet sync watch --from-start --json | jq -r 'select(.type == \"change\").change.user.id'",
      "signet sync watch --cursor <the one that the last run has named>",
    ],
  })
    .option("--site <id>", "the Site; not needed with a site key")
    .option("--from-start", "begin with all Users as they are")
    .option("--head", "begin with what happens from now on, which is the default")
    .option("--cursor <cursor>", "resume where another run has ended")
    .addOption(enumListOption("--kind <word>", "only such Changes", CHANGE_KINDS))
    .addOption(listOption("--user <user>", "only Changes of this User, named by id or otherwise"))
    .option("--client-id <name>", "a name of its own among those with the same key")
    .action((options: WatchOptions) => watch(context, options));
}

async function watch(context: Context, options: WatchOptions): Promise<void> {
  const { site: siteId, fromStart, head, cursor, clientId, kind: kinds } = options;
  if ([fromStart, head, cursor].filter(Boolean).length > 1) {
    throw new UsageError("give one of: --from-start, --head, --cursor");
  }
  const names = options.user?.map(parseUserName);
  const start = fromStart ? "snapshot" : "head";
  using interruption = listenForInterruption();
  await withClient(context, async (client) => {
    const { signal } = interruption;
    const userIds = names && (await findUserIds(client, siteId, names));
    const filter = { ...(kinds && { kinds }), ...(userIds && { userIds }) };
    const subscription = client.subscribe({ siteId, start, cursor, filter, clientId, signal });
    const reporting = reportStatus(context, subscription);
    try {
      for await (const item of subscription) print(context, options, item);
    } finally {
      subscription.close();
      await reporting;
      noteCursor(context, options, subscription);
    }
  });
}

function print({ terminal }: Context, { json }: WatchOptions, item: SubscriptionItem): void {
  for (const line of json ? toJsonLines(item) : toPlainLines(item)) terminal.print(line);
}

/** The end is told by the exit code, and by the error where there is one. */
async function reportStatus(
  { terminal, environment }: Context,
  { status }: Subscription,
): Promise<void> {
  let last = "";
  for await (const present of status) {
    const line = describeStatus(present, environment);
    const isNews = present.type !== "closed" && line !== last;
    if (isNews && !(present.type === "snapshot" && terminal.show(line))) terminal.note(line);
    last = line;
  }
}

function noteCursor({ terminal }: Context, { site }: WatchOptions, { cursor }: Subscription): void {
  const named = site === undefined ? "" : ` --site ${site}`;
  if (cursor) terminal.note(`To resume: signet sync watch${named} --cursor ${cursor}`);
}
