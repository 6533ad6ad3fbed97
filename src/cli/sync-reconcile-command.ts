import { type Command, Option } from "commander";
import type { Pool } from "pg";
import {
  createPostgresMirror,
  createUserMirror,
  MirrorTimeoutError,
  type ReconcileReport,
  type SignetClient,
  type UserMirror,
} from "../client/index.ts";
import { type AnswerOptions, addCommand } from "./answer.ts";
import { withClient } from "./connection.ts";
import { CheckFailed, type Context } from "./context.ts";
import { listenForInterruption } from "./interruption.ts";
import {
  DEFAULT_TABLES,
  databaseOption,
  type MirrorPlaceOptions,
  withMirrorPool,
} from "./mirror-database.ts";
import { createProgress } from "./progress.ts";
import { layOutReport, requireEqual, toReportJson } from "./reconcile-report.ts";

interface ReconcileOptions extends AnswerOptions, MirrorPlaceOptions {
  readonly to: string;
  readonly site?: string;
  readonly repair?: true;
  readonly deep?: true;
  readonly tombstones: "keep" | "delete";
}

/** Adds `signet sync reconcile`. */
export function addSyncReconcile(sync: Command, context: Context): void {
  addCommand(sync, "reconcile", {
    description:
      "Compares a mirror with its Site by digests, and says in how many Users they differ. " +
      "It ends with 1 where a difference is left.",
    examples: [
      "signet sync reconcile --to postgres://mirror@localhost/shop",
      "signet sync reconcile --to postgres://mirror@localhost/shop --repair --deep",
    ],
  })
    .addOption(databaseOption("--to <url>").makeOptionMandatory())
    .option("--site <id>", "the Site; not needed with a site key")
    .option("--table <name>", `the table of Users (default: ${DEFAULT_TABLES.users})`)
    .option("--repair", "put right what differs")
    .option("--deep", "look at each row's content, too, for writes that went past the guard")
    .addOption(
      new Option("--tombstones <rule>", "what the mirror does with the rows of deleted Users")
        .choices(["keep", "delete"])
        .default("keep"),
    )
    .action((options: ReconcileOptions) => reconcile(context, options));
}

async function reconcile(context: Context, options: ReconcileOptions): Promise<void> {
  using interruption = listenForInterruption();
  const report = await withClient(context, (client) =>
    withMirrorPool(options.to, async (pool) => {
      await requireMirror(pool, options);
      await using mirror = openMirror(client, pool, options);
      return await compare(context, mirror, options, interruption.signal);
    }),
  );
  const { print } = context.terminal;
  print(options.json ? toReportJson(report) : layOutReport(report));
  requireEqual(report);
}

/** To compare nothing with a Site would be to fill it, which is another command. */
async function requireMirror(pool: Pool, options: ReconcileOptions): Promise<void> {
  const { table = DEFAULT_TABLES.users } = options;
  const { rows } = await pool.query<{ found: boolean }>(
    "select to_regclass($1) is not null and to_regclass($2) is not null as found",
    [table, `${table}_state`],
  );
  if (rows[0]?.found) return;
  throw new CheckFailed(`there is no mirror ${table}: signet sync mirror makes one`, 1);
}

/** One that is only to look leaves the stream alone: whoever follows it also repairs. */
function openMirror(client: SignetClient, pool: Pool, options: ReconcileOptions): UserMirror {
  const { site: siteId, table = DEFAULT_TABLES.users, tombstones, repair } = options;
  const shared = { client, siteId, tombstones };
  if (repair) return createUserMirror({ ...shared, pool, table });
  const storage = { ...createPostgresMirror({ pool, table }), lead: async () => undefined };
  return createUserMirror({ ...shared, storage });
}

async function compare(
  context: Context,
  mirror: UserMirror,
  { repair = false, deep = false }: { readonly repair?: boolean; readonly deep?: boolean },
  signal: AbortSignal,
): Promise<ReconcileReport> {
  const showProgress = createProgress(context.terminal, "leaves");
  const comparing = mirror.reconcile({
    repair,
    deep,
    signal,
    onProgress({ leavesDone, leavesTotal }) {
      if (leavesTotal > 0) showProgress(leavesDone, leavesTotal);
    },
  });
  try {
    return await Promise.race([comparing, failureOf(mirror)]);
  } catch (error) {
    if (repair || !(error instanceof MirrorTimeoutError)) throw error;
    const advice = "run signet sync mirror besides, or add --repair";
    throw new CheckFailed(`${error.message}, as nobody feeds it: ${advice}`, 1);
  } finally {
    context.terminal.show("");
  }
}

/** Rejects once the mirror has closed by itself, such as for want of a good key. */
async function failureOf({ status }: UserMirror): Promise<never> {
  for await (const present of status) {
    if (present.type === "closed" && present.error !== undefined) throw present.error;
  }
  return await new Promise<never>(() => undefined);
}
