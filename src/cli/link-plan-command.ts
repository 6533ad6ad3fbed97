import type { Command } from "commander";
import type { Context } from "./context.ts";
import { layOutFields } from "./layout.ts";
import { judgeRows } from "./link-judge.ts";
import { hasLog, logStatements } from "./link-log.ts";
import { addLinkCommand, addRowOptions, type LinkOptions } from "./link-options.ts";
import { createLinkCounter, type LinkReport, layOutLinkReport } from "./link-report.ts";
import { countRows, readUnlinkedRows } from "./link-rows.ts";
import { findMissing, linkStatements } from "./link-schema.ts";
import { type LinkSession, openJudge, withLinkSession } from "./link-session.ts";
import { createProgress } from "./progress.ts";

/** What `plan` answers to programs. */
interface Plan extends LinkReport {
  readonly linked: number;
  readonly unlinked: number;
  /** What the app's database still lacks. */
  readonly statements: readonly string[];
}

const BATCH_ROWS = 500;

/** Adds `signet link plan`. */
export function addLinkPlan(link: Command, context: Context): void {
  const command = addLinkCommand(link, "plan", {
    description: "Says what apply would do, and writes nothing.",
    examples: [
      "signet link plan --to postgres://localhost/shop --table shop.users \\",
      "    --hash-column password --emails-verified",
      "signet link plan --to postgres://localhost/shop --mapping link.json --json",
    ],
  });
  addRowOptions(command).action((options: LinkOptions) => planLink(context, options));
}

/** Judges every row, and prints what would become of them. */
export async function planLink(context: Context, options: LinkOptions): Promise<void> {
  const plan = await withLinkSession(context, options, { readOnly: true }, (session) =>
    makePlan(context, session),
  );
  const { print } = context.terminal;
  print(options.json ? JSON.stringify(plan, undefined, 2) : layOutPlan(plan));
}

async function makePlan({ terminal }: Context, session: LinkSession): Promise<Plan> {
  const { db, table } = session;
  const rows = await countRows(db, table);
  const judge = await openJudge(session);
  const counter = createLinkCounter();
  const showProgress = createProgress(terminal, "rows");
  try {
    for await (const batch of readUnlinkedRows(db, table, BATCH_ROWS)) {
      counter.addJudged(await judgeRows(judge, batch));
      showProgress(counter.done, rows.unlinked);
    }
  } finally {
    terminal.show("");
  }
  return { ...rows, statements: await missingStatements(session), ...counter.report() };
}

async function missingStatements({ db, table, mirror, log }: LinkSession): Promise<string[]> {
  const missing = await findMissing(db, table, mirror);
  const statements = linkStatements(table, mirror);
  return [
    ...((await hasLog(db, log)) ? [] : logStatements(log)),
    ...(missing.column ? [statements.column] : []),
    ...(missing.index ? [statements.index] : []),
    ...(missing.foreignKey ? [statements.foreignKey, statements.validate] : []),
  ];
}

function layOutPlan({ linked, unlinked, statements, ...report }: Plan): string {
  const present = layOutFields([
    ["linked already", `${linked}`],
    ["not linked", `${unlinked}`],
  ]);
  const words = { created: "to create", matched: "to match", skipped: "to leave alone" };
  const lines = statements.map((statement) => `${statement};`).join("\n");
  return [
    present,
    layOutLinkReport(report, words),
    statements.length > 0 ? `It would run in the app's database:\n\n${lines}` : "",
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}
