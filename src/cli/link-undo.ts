import { quoteName } from "../client/link-names.ts";
import { inLinkTransaction } from "./link-database.ts";
import { closeRun, type LinkRun } from "./link-log.ts";
import { alterTable, dropIndex } from "./link-schema.ts";
import type { LinkSession } from "./link-session.ts";

/** A session of a table that has a run to take back. */
export type UndoSession = LinkSession & { readonly run: LinkRun };

/** What became of rows whose link was to be taken back. */
export interface UndoneRows {
  /** Rows whose link is gone. */
  readonly unlinked: number;
  /** Rows that were linked otherwise since, or not at all, or are gone: they were left alone. */
  readonly changed: number;
}

const BATCH_ROWS = 1_000;

/** Counts the rows that this run has linked and nobody has linked otherwise since. */
export async function countOwnLinks({ db, table, log, run }: UndoSession): Promise<number> {
  if (!table.hasLink) return 0;
  const { rows } = await db.query<{ count: string }>(
    `select count(*)::text as count from ${table.name.quoted} as own
       join ${log.log} as entry on entry.run = $1 and entry.row_id = own.${table.id}::text
      where own.${table.link} = entry.new_link`,
    [run.run],
  );
  return Number(rows[0]?.count);
}

/** Takes the links back that the run has made, in batches; it may be run again. */
export async function unlinkRows(
  { db, table, log, run }: UndoSession,
  onBatch: (undone: UndoneRows) => void,
): Promise<UndoneRows> {
  const { name, id, idType, link } = table;
  let undone: UndoneRows = { unlinked: 0, changed: 0 };
  for (let after: string | undefined = ""; after !== undefined; ) {
    const { rows }: { readonly rows: readonly { readonly row_id: string }[] } = await db.query(
      `select row_id from ${log.log}
        where run = $1 and new_link is not null and undo_time is null and row_id > $2
        order by row_id limit ${BATCH_ROWS}`,
      [run.run, after],
    );
    const rowIds = rows.map((row) => row.row_id);
    const unlinked = await inLinkTransaction(db, async () => {
      const result = await db.query<{ row_id: string }>(
        `update ${name.quoted} as own set ${link} = entry.old_link
           from ${log.log} as entry
          where entry.run = $1 and entry.row_id = any($2::text[])
            and own.${id} = entry.row_id::${idType.name} and own.${link} = entry.new_link
         returning entry.row_id`,
        [run.run, rowIds],
      );
      const ids = result.rows.map((row) => row.row_id);
      await db.query(
        `update ${log.log} set undo_time = now(),
                undo_outcome = case when row_id = any($3::text[]) then 'unlinked' else 'changed' end
          where run = $1 and row_id = any($2::text[])`,
        [run.run, rowIds, ids],
      );
      return ids.length;
    });
    const changed = undone.changed + rowIds.length - unlinked;
    undone = { unlinked: undone.unlinked + unlinked, changed };
    onBatch(undone);
    after = rowIds.at(-1);
  }
  return undone;
}

/** Links that others have made are in the way of dropping the column. */
export class LaterLinksError extends Error {
  override readonly name = "LaterLinksError";
}

/**
 * Tries whether the column can go, and leaves it there: a view may stand on it.
 *
 * @throws what the database says.
 */
export async function rehearseDrop({ db, table }: UndoSession): Promise<void> {
  const rehearsed = new Error("it was only tried");
  await alterTable(db, dropColumn(table), () => Promise.reject(rehearsed)).catch((error) => {
    if (error !== rehearsed) throw error;
  });
}

/**
 * Takes away what the run has added, and closes it.
 *
 * @throws {LaterLinksError} where the column has links that others have made, unless told to.
 */
export async function removeSchema(
  session: UndoSession,
  { dropLaterLinks }: { readonly dropLaterLinks: boolean },
): Promise<void> {
  const { db, table, log, run } = session;
  const { columnAdded, indexAdded, foreignKeyAdded } = run;
  const { name, link, hasLink } = table;
  if (columnAdded && hasLink) {
    const lock = `lock table ${name.quoted} in access exclusive mode`;
    await alterTable(db, lock, async () => {
      const { rows } = await db.query(
        `select from ${name.quoted} where ${link} is not null limit 1`,
      );
      if (rows.length > 0 && !dropLaterLinks) throw new LaterLinksError("others have linked rows");
      await db.query(dropColumn(table));
      await closeRun(db, log, run);
    });
    return;
  }
  if (foreignKeyAdded) {
    const drop = `drop constraint if exists ${quoteName(foreignKeyAdded)}`;
    await alterTable(db, `alter table ${name.quoted} ${drop}`, async () => undefined);
  }
  if (indexAdded) await dropIndex(db, table, indexAdded, { onlyInvalid: false });
  await closeRun(db, log, run);
}

/** Index and foreign key go with it; whatever else stands on it keeps it there. */
function dropColumn({ name, link }: UndoSession["table"]): string {
  return `alter table ${name.quoted} drop column ${link}`;
}
