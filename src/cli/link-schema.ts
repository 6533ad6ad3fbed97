import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { quoteName } from "../client/link-names.ts";
import { inLinkTransaction, type LinkDatabase, sqlStateOf } from "./link-database.ts";
import { forgetIndex, type LinkLog, type LinkRun, noteAdded } from "./link-log.ts";
import type { LinkMirror } from "./link-mirror.ts";
import type { LinkTable } from "./link-table.ts";

/** What the app's database still lacks. */
export interface MissingSchema {
  readonly column: boolean;
  readonly index: boolean;
  readonly foreignKey: boolean;
}

/** The statements that add it, and the names of what they add. */
export interface LinkStatements {
  readonly column: string;
  readonly index: string;
  readonly indexName: string;
  readonly foreignKey: string;
  readonly foreignKeyName: string;
  readonly validate: string;
}

/** A statement that wants the table for itself gives way so soon to those that use it. */
const LOCK_MS = 2_000;
const LOCK_ATTEMPTS_MAX = 15;
/** An index that is built beside everything else waits for open transactions to end. */
const INDEX_LOCK_MS = 60_000;

/** Writes the statements by which column, index and foreign key are added. */
export function linkStatements(
  { name, link, linkColumn }: LinkTable,
  mirror: LinkMirror | undefined,
): LinkStatements {
  const indexName = nameOf(`${name.table}_${linkColumn}_key`);
  const foreignKeyName = nameOf(`${name.table}_${linkColumn}_fkey`);
  const table = name.quoted;
  return {
    column: `alter table ${table} add column ${link} uuid`,
    // One User is one row, whoever links it and whenever.
    index:
      `create unique index concurrently ${quoteName(indexName)} ` +
      `on ${table} (${link}) where ${link} is not null`,
    indexName,
    // Deleting from the mirror must not fail because an app has a row.
    foreignKey:
      `alter table ${table} add constraint ${quoteName(foreignKeyName)} foreign key (${link}) ` +
      `references ${mirror?.quoted} (id) on delete set null not valid`,
    foreignKeyName,
    validate: `alter table ${table} validate constraint ${quoteName(foreignKeyName)}`,
  };
}

/** Looks for what is missing; a foreign key only where there is a Mirror. */
export async function findMissing(
  db: LinkDatabase,
  { name, linkColumn, hasLink }: LinkTable,
  mirror: LinkMirror | undefined,
): Promise<MissingSchema> {
  if (!hasLink) return { column: true, index: true, foreignKey: mirror !== undefined };
  const { rows } = await db.query<{ index: boolean; foreign_key: boolean }>(
    `with linked as (
       select attrelid, attnum from pg_attribute
        where attrelid = $1::regclass and attname = $2 and not attisdropped)
     select exists (select from pg_index, linked
                     where indrelid = attrelid and indnkeyatts = 1 and indkey[0] = attnum
                       and indisunique and indisvalid) as index,
            exists (select from pg_constraint, linked
                     where conrelid = attrelid and conkey = array[attnum] and contype = 'f'
                       and confrelid = to_regclass($3)) as foreign_key`,
    [name.quoted, linkColumn, mirror?.quoted ?? null],
  );
  const [row] = rows;
  return {
    column: false,
    index: row?.index !== true,
    foreignKey: mirror !== undefined && row?.foreign_key !== true,
  };
}

/**
 * Adds what is missing, and writes down that it did. The index is there before a row is linked,
 * so that no two rows become the same User's.
 */
export async function addSchema(
  db: LinkDatabase,
  table: LinkTable,
  mirror: LinkMirror | undefined,
  { log, run }: { readonly log: LinkLog; readonly run: LinkRun },
): Promise<void> {
  const missing = await findMissing(db, table, mirror);
  const statements = linkStatements(table, mirror);
  const { indexName, foreignKeyName } = statements;
  if (missing.column) {
    await alterTable(db, statements.column, () => noteAdded(db, log, run, { columnAdded: true }));
  }
  if (missing.index) {
    await dropIndex(db, table, indexName, { onlyInvalid: true });
    await addIndex(db, table, statements, { log, run });
  }
  if (missing.foreignKey) {
    const added = { foreignKeyAdded: foreignKeyName };
    await alterTable(db, statements.foreignKey, () => noteAdded(db, log, run, added));
  }
  if (mirror) await validate(db, table, statements);
}

/** It is no part of a transaction: what is written down before is there after a kill, too. */
async function addIndex(
  db: LinkDatabase,
  table: LinkTable,
  { index, indexName }: LinkStatements,
  { log, run }: { readonly log: LinkLog; readonly run: LinkRun },
): Promise<void> {
  await noteAdded(db, log, run, { indexAdded: indexName });
  try {
    await withLockTimeout(db, INDEX_LOCK_MS, () => db.query(index));
  } catch (error) {
    await dropIndex(db, table, indexName, { onlyInvalid: true }).catch(() => undefined);
    await forgetIndex(db, log, run);
    throw error;
  }
}

/** Runs a statement that needs the table for itself for a moment, as soon as it can have it. */
export async function alterTable(
  db: LinkDatabase,
  statement: string,
  andThen: () => Promise<unknown>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await inLinkTransaction(db, async () => {
        await db.query(`set local lock_timeout = ${LOCK_MS}`);
        await db.query(statement);
        await andThen();
      });
    } catch (error) {
      if (sqlStateOf(error) !== LOCK_NOT_AVAILABLE || attempt === LOCK_ATTEMPTS_MAX) throw error;
      await sleep(attempt * 100); // Those who waited behind the statement go first.
    }
  }
}

const LOCK_NOT_AVAILABLE = "55P03";

/** Drops an index of the table, beside everything else; one that is not there is dropped. */
export async function dropIndex(
  db: LinkDatabase,
  { name }: LinkTable,
  indexName: string,
  { onlyInvalid }: { readonly onlyInvalid: boolean },
): Promise<void> {
  const { rows } = await db.query<{ valid: boolean }>(
    `select indisvalid as valid from pg_index join pg_class on pg_class.oid = indexrelid
      where indrelid = $1::regclass and relname = $2`,
    [name.quoted, indexName],
  );
  if (!rows[0] || (onlyInvalid && rows[0].valid)) return;
  const quoted = `${quoteName(name.schema)}.${quoteName(indexName)}`;
  await withLockTimeout(db, INDEX_LOCK_MS, () => db.query(`drop index concurrently ${quoted}`));
}

/** Looks at the rows that were there before; it keeps nobody from the table. */
async function validate(
  db: LinkDatabase,
  { name }: LinkTable,
  { foreignKeyName, validate: statement }: LinkStatements,
): Promise<void> {
  const { rows } = await db.query(
    `select from pg_constraint
      where conrelid = $1::regclass and conname = $2 and not convalidated`,
    [name.quoted, foreignKeyName],
  );
  if (rows.length > 0) await withLockTimeout(db, INDEX_LOCK_MS, () => db.query(statement));
}

async function withLockTimeout(
  db: LinkDatabase,
  timeoutMs: number,
  run: () => Promise<unknown>,
): Promise<void> {
  await db.query(`set lock_timeout = ${timeoutMs}`);
  try {
    await run();
  } finally {
    await db.query("reset lock_timeout");
  }
}

/** What is too long for PostgreSQL gets a name that follows from it. */
function nameOf(wanted: string): string {
  if (Buffer.byteLength(wanted) <= 63) return wanted;
  const digest = createHash("sha256").update(wanted).digest("hex").slice(0, 16);
  return `signet_link_${digest}${/_f?key$/.exec(wanted)?.[0] ?? ""}`;
}
