import type { LinkDatabase } from "./link-database.ts";
import type { LinkTable } from "./link-table.ts";

/** A row of the app's table, as far as it goes to Signet. */
export interface AppRow {
  readonly rowId: string;
  readonly email: string | null;
  readonly emailVerified: boolean;
  readonly username: string | null;
  readonly hash: string | null;
  readonly displayName: string | null;
  readonly externalId: string | null;
  readonly disabled: boolean;
  /** The address in the form in which two of the table are compared. */
  readonly addressKey: string | null;
  /** The same of the username. */
  readonly usernameKey: string | null;
}

/** A row that is linked. */
export interface LinkedRow {
  readonly rowId: string;
  readonly userId: string;
  readonly email: string | null;
}

/** Whoever has more does better to look at the mapping, and they are kept in memory. */
const DUPLICATES_MAX = 100_000;

/** Reads the rows that are not linked in the order of their ids, `size` at a time. */
export function readUnlinkedRows(
  db: LinkDatabase,
  table: LinkTable,
  size: number,
): AsyncGenerator<readonly AppRow[]> {
  const { fields, addressKey, usernameKey, hasLink, link } = table;
  const keys = `${addressKey} as "addressKey", ${usernameKey} as "usernameKey"`;
  const select = `${fields}, ${keys}`;
  return readBatches<AppRow>(db, table, select, hasLink ? `${link} is null` : "true", size);
}

/** Reads the rows that are linked in the order of their ids, `size` at a time. */
export function readLinkedRows(
  db: LinkDatabase,
  table: LinkTable,
  size: number,
): AsyncGenerator<readonly LinkedRow[]> {
  const { id, link, addressKey } = table;
  const select = `${id}::text as "rowId", ${link}::text as "userId", ${addressKey} as email`;
  return readBatches<LinkedRow>(db, table, select, `${link} is not null`, size);
}

async function* readBatches<Row extends { readonly rowId: string }>(
  db: LinkDatabase,
  { name, id, idType }: LinkTable,
  select: string,
  condition: string,
  size: number,
): AsyncGenerator<readonly Row[]> {
  for (let after: string | null = null; ; ) {
    const { rows }: { readonly rows: readonly Row[] } = await db.query<Row>(
      `select ${select} from ${name.quoted}
        where ${condition} and ($1::text is null or ${id} > $1::${idType.name})
        order by ${id} limit $2`,
      [after, size],
    );
    if (rows.length > 0) yield rows;
    after = rows.at(-1)?.rowId ?? null;
    if (rows.length < size) return;
  }
}

/** How many rows are linked, and how many are not. */
export async function countRows(
  db: LinkDatabase,
  { name, hasLink, link }: LinkTable,
): Promise<{ readonly linked: number; readonly unlinked: number }> {
  const linked = hasLink ? `count(${link})` : "0";
  const { rows } = await db.query<{ linked: string; total: string }>(
    `select (${linked})::text as linked, count(*)::text as total from ${name.quoted}`,
  );
  const [row] = rows;
  return { linked: Number(row?.linked), unlinked: Number(row?.total) - Number(row?.linked) };
}

/** Names that several rows have, in any case, with how many of their accounts are in use. */
export interface Duplicates {
  readonly addresses: ReadonlyMap<string, number>;
  readonly usernames: ReadonlyMap<string, number>;
}

/**
 * Finds the names that several rows have.
 *
 * @throws {Error} where there are more than 100,000 of a kind.
 */
export async function findDuplicates(db: LinkDatabase, table: LinkTable): Promise<Duplicates> {
  return {
    addresses: await findRepeated(db, table, table.addressKey),
    usernames: await findRepeated(db, table, table.usernameKey),
  };
}

async function findRepeated(
  db: LinkDatabase,
  { name, disabled }: LinkTable,
  key: string,
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await db.query<{ key: string; used: string }>(
    `select ${key} as key, (count(*) filter (where not (${disabled})))::text as used
       from ${name.quoted} where ${key} is not null
      group by 1 having count(*) > 1 limit ${DUPLICATES_MAX + 1}`,
  );
  if (rows.length > DUPLICATES_MAX) {
    throw new Error(`more than ${DUPLICATES_MAX} names are those of several rows`);
  }
  return new Map(rows.map((row) => [row.key, Number(row.used)]));
}
