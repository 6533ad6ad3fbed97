import { type Command, Option } from "commander";
import type { Pool } from "pg";
import {
  createRevocationMirror,
  createUserMirror,
  type RevocationMirror,
  type SignetClient,
  type UserMirror,
  type UserMirrorEvent,
} from "../client/index.ts";
import { type AnswerOptions, addCommand } from "./answer.ts";
import { withClient } from "./connection.ts";
import { type Context, UsageError } from "./context.ts";
import { type Interruption, listenForInterruption } from "./interruption.ts";
import {
  DEFAULT_TABLES,
  databaseOption,
  type MirrorPlaceOptions,
  withMirrorPool,
} from "./mirror-database.ts";
import { reportEvent, reportMirror } from "./mirror-reporter.ts";
import { requireEqual } from "./reconcile-report.ts";

interface MirrorOptions extends AnswerOptions, MirrorPlaceOptions {
  readonly to: string;
  readonly site?: string;
  readonly users: boolean;
  readonly revocations: boolean;
  readonly tombstones: "keep" | "delete";
  readonly once?: true;
  readonly name?: string;
  readonly clientId?: string;
}

/** What this process keeps. */
interface Parts {
  readonly users: UserMirror | undefined;
  readonly revocations: RevocationMirror | undefined;
}

/** Adds `signet sync mirror`. */
export function addSyncMirror(sync: Command, context: Context): void {
  addCommand(sync, "mirror", {
    description: "Keeps a table of Users and one of Revocations in an app's PostgreSQL.",
    examples: [
      "signet sync mirror --to postgres://mirror@localhost/shop",
      "signet sync mirror --to postgres://mirror@localhost/shop --table auth.users --once",
    ],
  })
    .addOption(databaseOption("--to <url>").makeOptionMandatory())
    .option("--site <id>", "the Site; not needed with a site key")
    .option("--table <name>", `the table of Users (default: ${DEFAULT_TABLES.users})`)
    .option("--revocations-table <name>", `… of Revocations (${DEFAULT_TABLES.revocations})`)
    .option("--no-users", "keep Revocations alone")
    .option("--no-revocations", "keep Users alone")
    .addOption(
      new Option("--tombstones <rule>", "what becomes of the rows of deleted Users")
        .choices(["keep", "delete"])
        .default("keep"),
    )
    .option("--once", "fill the tables, put right what differs, and end")
    .option("--name <text>", "what people call it where Signet lists it (default: the table)")
    .option("--client-id <name>", "a name of its own among those with the same key")
    .action((options: MirrorOptions) => mirror(context, options));
}

/** In a run that is to end a Signet that is away is a failure, after about 10 s. */
const FAILURES_MAX_ONCE = 6;

async function mirror(context: Context, options: MirrorOptions): Promise<void> {
  if (!options.users && !options.revocations) throw new UsageError("nothing is left to mirror");
  using interruption = listenForInterruption();
  await withClient(context, (client) =>
    withMirrorPool(options.to, async (pool) => {
      await using opened = openParts(context, client, pool, options, interruption);
      const { users, revocations } = opened;
      const ended = Promise.race([
        ...(users ? [report(context, options, "users", users)] : []),
        ...(revocations ? [report(context, options, "revocations", revocations)] : []),
      ]);
      await (options.once ? fill(opened, ended) : ended);
    }),
  );
}

function openParts(
  context: Context,
  client: SignetClient,
  pool: Pool,
  options: MirrorOptions,
  { signal }: Interruption,
): Parts & AsyncDisposable {
  const { site: siteId, table = DEFAULT_TABLES.users, revocationsTable } = options;
  const { tombstones, name, clientId, once } = options;
  const place = { client, pool, siteId, clientId, signal };
  const onEvent = (event: UserMirrorEvent) => reportEvent(context, options, event);
  const users = options.users
    ? createUserMirror({ ...place, table, tombstones, name, reports: !once, onEvent })
    : undefined;
  const revocations = options.revocations
    ? createRevocationMirror({ ...place, table: revocationsTable })
    : undefined;
  return {
    users,
    revocations,
    async [Symbol.asyncDispose]() {
      await Promise.all([users?.close(), revocations?.close()]);
    },
  };
}

function report(
  context: Context,
  { json, once }: MirrorOptions,
  part: "users" | "revocations",
  { status }: UserMirror | RevocationMirror,
): Promise<void> {
  return reportMirror(context, status, {
    part,
    json,
    failuresMax: once && FAILURES_MAX_ONCE,
  });
}

/** Waits until the tables hold what they should, or until the end of one part. */
async function fill({ users, revocations }: Parts, ended: Promise<void>): Promise<void> {
  const leaving = new AbortController();
  const wait = { timeoutMs: Number.MAX_SAFE_INTEGER, signal: leaving.signal };
  const filling = Promise.all([
    users ? fillUsers(users, wait) : Promise.resolve(),
    revocations?.waitUntilCurrent(wait) ?? Promise.resolve(),
  ]);
  const endedEarly = ended.then(() => {
    throw new Error("it ended before the tables were filled");
  });
  try {
    await Promise.race([filling, endedEarly]);
  } finally {
    leaving.abort();
    await filling.catch(() => undefined); // It was left, or has said so above.
  }
}

/** What was there before may differ in ways that no snapshot shows. */
async function fillUsers(
  users: UserMirror,
  wait: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  await users.waitUntilFilled(wait);
  requireEqual(await users.reconcile({ signal: wait.signal }));
}
