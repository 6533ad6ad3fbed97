import type { Command } from "commander";
import { confirm } from "./confirm.ts";
import { CheckFailed, type Context, UsageError } from "./context.ts";
import { layOutFields } from "./layout.ts";
import { beginRollback, lockLink } from "./link-log.ts";
import { addLinkCommand, type LinkOptions } from "./link-options.ts";
import { countRows } from "./link-rows.ts";
import { withLinkSession } from "./link-session.ts";
import {
  countOwnLinks,
  LaterLinksError,
  rehearseDrop,
  removeSchema,
  type UndoneRows,
  type UndoSession,
  unlinkRows,
} from "./link-undo.ts";
import { deleteCreatedUsers, type UndoneUsers } from "./link-undo-users.ts";
import { createProgress } from "./progress.ts";

interface RollbackOptions extends LinkOptions {
  readonly deleteUsers?: true;
  readonly dropLaterLinks?: true;
  readonly yes?: true;
}

type Undone = UndoneRows & UndoneUsers & { readonly columnDropped: boolean };

/** Adds `signet link rollback`. */
export function addLinkRollback(link: Command, context: Context): void {
  addLinkCommand(link, "rollback", {
    description:
      "Takes back what apply did: links, and column, index and foreign key if it made them.",
    examples: [
      "signet link rollback --to postgres://localhost/shop --table shop.users",
      "signet link rollback --to postgres://localhost/shop --mapping link.json \\",
      "    --delete-users --yes",
    ],
  })
    .option("--delete-users", "delete the Users it created, unless they signed in or were altered")
    .option("--drop-later-links", "drop the column although others have linked rows since")
    .option("--yes", "do not ask")
    .action((options: RollbackOptions) => rollbackLink(context, options));
}

async function rollbackLink(context: Context, options: RollbackOptions): Promise<void> {
  const undone = await withLinkSession(context, options, { readOnly: false }, async (session) => {
    const { db, table, run } = session;
    if (!run) throw new UsageError("there is nothing to take back: the log has no open run");
    await lockLink(db, table);
    return await rollback(context, { ...session, run }, options);
  });
  const text = layOutFields([
    ["links taken back", `${undone.unlinked}`],
    ["links left, as others have changed them", `${undone.changed}`],
    ["Users deleted", options.deleteUsers && `${undone.deleted}`],
    ["Users kept, as they are in use", options.deleteUsers && `${undone.kept}`],
    ["column", undone.columnDropped ? "dropped" : "left, as it was there before"],
  ]);
  context.terminal.print(options.json ? JSON.stringify(undone, undefined, 2) : text);
}

async function rollback(
  context: Context,
  session: UndoSession,
  { deleteUsers, dropLaterLinks, yes }: RollbackOptions,
): Promise<Undone> {
  const own = await countOwnLinks(session);
  const columnDropped = session.run.columnAdded && session.table.hasLink;
  if (columnDropped) await requireDroppable(session, own, dropLaterLinks === true);
  const what = deleteUsers ? `${own} rows, and delete the Users created for them` : `${own} rows`;
  await confirm(context, `Take back the links of ${what}?`, yes ? { yes } : {});
  await beginRollback(session.db, session.log, session.run);
  const { terminal } = context;
  const showLinks = createProgress(terminal, "links");
  const showUsers = createProgress(terminal, "users");
  try {
    const rows = session.table.hasLink
      ? await unlinkRows(session, ({ unlinked }) => showLinks(unlinked, own))
      : { unlinked: 0, changed: 0 };
    const users = deleteUsers
      ? await deleteCreatedUsers(session, ({ deleted, kept }) => showUsers(deleted + kept, own))
      : { deleted: 0, kept: 0 };
    await removeSchema(session, { dropLaterLinks: dropLaterLinks === true });
    return { ...rows, ...users, columnDropped };
  } catch (error) {
    if (!(error instanceof LaterLinksError)) throw error;
    throw new CheckFailed(`${error.message} meanwhile: ${LATER_LINKS_ADVICE}`, 1);
  } finally {
    terminal.show("");
  }
}

const LATER_LINKS_ADVICE = "--drop-later-links drops those with the column";

/** Nothing is begun that cannot be brought to its end. */
async function requireDroppable(
  session: UndoSession,
  own: number,
  dropLaterLinks: boolean,
): Promise<void> {
  const { linked } = await countRows(session.db, session.table);
  if (linked > own && !dropLaterLinks) {
    const count = linked - own;
    const why = `${count} rows were linked by others since, such as at a login`;
    throw new CheckFailed(`nothing was done: ${why}: ${LATER_LINKS_ADVICE}`, 1);
  }
  await rehearseDrop(session);
}
