import type { Command } from "commander";
import { CheckFailed, type Context } from "./context.ts";
import { type Interruption, listenForInterruption } from "./interruption.ts";
import { sqlStateOf } from "./link-database.ts";
import { judgeRows } from "./link-judge.ts";
import { lockLink, openRun, prepareLog } from "./link-log.ts";
import { addLinkCommand, addRowOptions, type LinkOptions } from "./link-options.ts";
import { planLink } from "./link-plan-command.ts";
import { createLinkCounter, type LinkReport, layOutLinkReport, skippedOf } from "./link-report.ts";
import { countRows, readUnlinkedRows } from "./link-rows.ts";
import { addSchema } from "./link-schema.ts";
import { type LinkSession, openJudge, withLinkSession } from "./link-session.ts";
import { inspectTable } from "./link-table.ts";
import { writeBatch } from "./link-write.ts";
import { numberOption } from "./options.ts";
import { createProgress } from "./progress.ts";

interface ApplyOptions extends LinkOptions {
  readonly dryRun?: true;
  readonly batch: number;
}

const BATCH_DEFAULT = 500;
const BATCH_MAX = 5_000;

/** How it ends where rows are left that nobody but a person can decide about. */
const EXIT_ROWS_LEFT = 3;

/** Adds `signet link apply`. */
export function addLinkApply(link: Command, context: Context): void {
  const command = addLinkCommand(link, "apply", {
    description:
      "Adds the column, creates or finds a User for each row, and links it. It may be run again " +
      `at any time, also after it was killed. It ends with ${EXIT_ROWS_LEFT} where rows are left.`,
    examples: [
      "signet link apply --to postgres://localhost/shop --table shop.users \\",
      "    --hash-column password --name-column full_name --verified-column confirmed_at",
      "signet link apply --to postgres://localhost/shop --mapping link.json --dry-run",
    ],
  })
    .option("--dry-run", "write nothing: the same as plan")
    .addOption(numberOption("--batch <rows>", "so many at a time").default(BATCH_DEFAULT));
  addRowOptions(command).action((options: ApplyOptions) =>
    options.dryRun ? planLink(context, options) : applyLink(context, options),
  );
}

async function applyLink(context: Context, options: ApplyOptions): Promise<void> {
  using interruption = listenForInterruption();
  const report = await withLinkSession(context, options, { readOnly: false }, async (session) => {
    await lockLink(session.db, session.table);
    return await apply(context, await prepare(session), options, interruption);
  });
  const words = { created: "created and linked", matched: "found and linked", skipped: "left" };
  const { print } = context.terminal;
  print(options.json ? JSON.stringify(report, undefined, 2) : layOutLinkReport(report, words));
  if (interruption.signal.aborted) {
    throw new CheckFailed("it was interrupted: run it again, and it goes on where it ended", 1);
  }
  const left = skippedOf(report);
  if (left > 0) throw new CheckFailed(`${left} rows are not linked`, EXIT_ROWS_LEFT);
}

type PreparedSession = LinkSession & { readonly run: NonNullable<LinkSession["run"]> };

/** Adds log, column, index and foreign key where they are missing. */
async function prepare(session: LinkSession): Promise<PreparedSession> {
  const { db, log, siteId, mapping, mirror } = session;
  try {
    await prepareLog(db, log);
    const run = await openRun(db, log, session.table, siteId);
    await addSchema(db, session.table, mirror, { log, run });
    return { ...session, run, table: await inspectTable(db, mapping) };
  } catch (error) {
    if (sqlStateOf(error) !== INSUFFICIENT_PRIVILEGE) throw error;
    const advice = "let its owner run the statements that signet link plan shows";
    throw new Error(`${(error as Error).message}: ${advice}`, { cause: error });
  }
}

const INSUFFICIENT_PRIVILEGE = "42501";

async function apply(
  { terminal }: Context,
  session: PreparedSession,
  { batch: size }: ApplyOptions,
  { signal }: Interruption,
): Promise<LinkReport> {
  const { db, table } = session;
  const { unlinked } = await countRows(db, table);
  const judge = await openJudge(session);
  const counter = createLinkCounter();
  const showProgress = createProgress(terminal, "rows");
  try {
    const rowsMax = Math.min(Math.max(size, 1), BATCH_MAX);
    for await (const batch of readUnlinkedRows(db, table, rowsMax)) {
      const judged = await judgeRows(judge, batch);
      counter.addOutcomes(await writeBatch(session, judge, judged));
      showProgress(counter.done, unlinked);
      if (signal.aborted) break;
    }
  } finally {
    terminal.show("");
  }
  return counter.report();
}
