import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { readAppTableName, toAppTableName } from "../client/link-names.ts";
import { UsageError } from "./context.ts";
import { inLinkTransaction, type LinkDatabase } from "./link-database.ts";
import { readGivenName } from "./link-naming.ts";
import type { CompleteMapping } from "./link-options.ts";
import type { LinkTable } from "./link-table.ts";

/** The tables in which it is written down what was done, quoted. */
export interface LinkLog {
  /** A row for each row of the app that a run has looked at. */
  readonly log: string;
  /** A row for each run: from the first `apply` to the `rollback`. */
  readonly runs: string;
}

/** What a run has added to the app's database, and for which Site. */
export interface LinkRun {
  readonly run: number;
  /** Tells this run's Users from those of others. */
  readonly runId: string;
  readonly siteId: string;
  readonly startTime: Date;
  /** What the run is about: the table, quoted, and the column. */
  readonly appTable: string;
  readonly linkColumn: string;
  /** Whether it is being taken back. */
  readonly rollbackBegun: boolean;
  readonly columnAdded: boolean;
  /** The names of what was added; null: it was not. */
  readonly indexAdded: string | null;
  readonly foreignKeyAdded: string | null;
}

/** Names the tables of the log. */
export function readLinkLog({ logTable }: CompleteMapping): LinkLog {
  return readGivenName(() => {
    const { schema, table, quoted } = readAppTableName(logTable);
    return { log: quoted, runs: toAppTableName(schema, `${table}_runs`).quoted };
  });
}

/** Creates the tables of the log where they are missing. */
export async function prepareLog(db: LinkDatabase, log: LinkLog): Promise<void> {
  // Who may write the tables may well not be allowed to create any.
  if (await hasLog(db, log)) return;
  await inLinkTransaction(db, async () => {
    for (const statement of logStatements(log)) await db.query(statement);
  });
}

/** The statements that create the tables of the log. */
export function logStatements({ log, runs }: LinkLog): string[] {
  return [
    `create table if not exists ${runs} (
  run integer primary key generated always as identity,
  run_id uuid not null,
  site_id uuid not null,
  app_table text not null,
  link_column text not null,
  column_added boolean not null default false,
  index_added text,
  foreign_key_added text,
  start_time timestamptz not null default now(),
  rollback_start_time timestamptz,
  rollback_time timestamptz
)`,
    // What was there before is always null: a row that is linked is never written.
    `create table if not exists ${log} (
  run integer not null references ${runs},
  row_id text not null,
  outcome text not null,
  problem text,
  old_link uuid,
  new_link uuid,
  user_version bigint,
  log_time timestamptz not null default now(),
  undo_outcome text,
  undo_time timestamptz,
  user_undo_outcome text,
  primary key (run, row_id)
)`,
  ];
}

/** Tells whether the tables of the log are there. */
export async function hasLog(db: LinkDatabase, { log, runs }: LinkLog): Promise<boolean> {
  const { rows } = await db.query<{ complete: boolean }>(
    "select to_regclass($1) is not null and to_regclass($2) is not null as complete",
    [log, runs],
  );
  return rows[0]?.complete === true;
}

/**
 * Returns the run that was not rolled back; undefined: there is none.
 *
 * @throws {UsageError} where it is about something else.
 */
export async function findRun(
  db: LinkDatabase,
  log: LinkLog,
  { name, linkColumn }: LinkTable,
  siteId: string,
): Promise<LinkRun | undefined> {
  if (!(await hasLog(db, log))) return undefined;
  const { rows } = await db.query<LinkRun>(
    `select run, run_id as "runId", site_id as "siteId", start_time as "startTime",
            app_table as "appTable", link_column as "linkColumn",
            rollback_start_time is not null as "rollbackBegun",
            column_added as "columnAdded", index_added as "indexAdded",
            foreign_key_added as "foreignKeyAdded"
       from ${log.runs} where rollback_time is null order by run desc limit 1`,
  );
  const [run] = rows;
  if (run && run.siteId !== siteId) {
    throw new UsageError(`the table is linked to the Site ${run.siteId}, and this is ${siteId}`);
  }
  if (run && (run.appTable !== name.quoted || run.linkColumn !== linkColumn)) {
    throw new UsageError(`${log.log} is the log of ${run.appTable}, column ${run.linkColumn}`);
  }
  return run;
}

/**
 * Goes on with the run that was not rolled back, or begins one.
 *
 * @throws {UsageError} where that run is about something else, or is being taken back.
 */
export async function openRun(
  db: LinkDatabase,
  log: LinkLog,
  table: LinkTable,
  siteId: string,
): Promise<LinkRun> {
  const present = await findRun(db, log, table, siteId);
  if (present?.rollbackBegun) {
    throw new UsageError("a rollback was begun: run signet link rollback to its end first");
  }
  if (present) return present;
  await db.query(
    `insert into ${log.runs} (run_id, site_id, app_table, link_column)
     values ($1, $2, $3, $4)`,
    [randomUUID(), siteId, table.name.quoted, table.linkColumn],
  );
  const begun = await findRun(db, log, table, siteId);
  if (!begun) throw new Error(`${log.runs} does not keep what is written`);
  return begun;
}

/** What was added to the app's database. */
export type Added = Partial<Pick<LinkRun, "columnAdded" | "indexAdded" | "foreignKeyAdded">>;

/** Writes down what is added, so that a rollback takes away nothing else. */
export async function noteAdded(
  db: LinkDatabase,
  { runs }: LinkLog,
  { run }: LinkRun,
  { columnAdded, indexAdded, foreignKeyAdded }: Added,
): Promise<void> {
  await db.query(
    `update ${runs}
        set column_added = column_added or coalesce($2, false),
            index_added = coalesce($3, index_added),
            foreign_key_added = coalesce($4, foreign_key_added)
      where run = $1`,
    [run, columnAdded ?? null, indexAdded ?? null, foreignKeyAdded ?? null],
  );
}

/** Writes down that the index was not added after all. */
export async function forgetIndex(
  db: LinkDatabase,
  { runs }: LinkLog,
  { run }: LinkRun,
): Promise<void> {
  await db.query(`update ${runs} set index_added = null where run = $1`, [run]);
}

/** Writes down that a run is being taken back: nothing is linked until that has ended. */
export async function beginRollback(
  db: LinkDatabase,
  { runs }: LinkLog,
  { run }: LinkRun,
): Promise<void> {
  await db.query(
    `update ${runs} set rollback_start_time = coalesce(rollback_start_time, now())
      where run = $1`,
    [run],
  );
}

/** Closes a run: all of it was taken back. The next `apply` begins another. */
export async function closeRun(
  db: LinkDatabase,
  { runs }: LinkLog,
  { run }: LinkRun,
): Promise<void> {
  await db.query(`update ${runs} set rollback_time = now() where run = $1`, [run]);
}

/** The session of a command that was killed lasts until the server has noticed. */
const LOCK_WAIT_MS_MAX = 6_000;
const LOCK_POLL_MS = 200;

/**
 * Keeps a second command away from the same table, for as long as the connection lasts.
 *
 * @throws {UsageError} where one is at work.
 */
export async function lockLink(db: LinkDatabase, { name }: LinkTable): Promise<void> {
  const giveUpMs = performance.now() + LOCK_WAIT_MS_MAX;
  for (;;) {
    const { rows } = await db.query<{ locked: boolean }>(
      "select pg_try_advisory_lock(hashtextextended($1, 3)) as locked",
      [name.quoted],
    );
    if (rows[0]?.locked === true) return;
    if (performance.now() > giveUpMs) break;
    await sleep(LOCK_POLL_MS);
  }
  throw new UsageError(`${name.quoted} is being linked already`);
}
