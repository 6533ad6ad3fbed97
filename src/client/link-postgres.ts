import { type AppIdType, readAppIdType } from "./link-id-type.ts";
import { quoteName, readAppTableName } from "./link-names.ts";
import type { LinkClaim, LinkResult, LinkStorage } from "./link-storage.ts";
import {
  inTransaction,
  type MirrorConnection,
  type MirrorPool,
  withConnection,
} from "./postgres-connection.ts";

/** Which table of an app's PostgreSQL has the app's own users, and what its columns are called. */
export interface LinkPlace {
  /** A `Pool` of pg, or what looks like one. Through a pooler in any mode. */
  readonly pool: MirrorPool;
  /** `schema.table`; without a schema, of `public`. */
  readonly table: string;
  /** The column that holds the User's id; default `auth_user_id`. */
  readonly linkColumn?: string | undefined;
  /** The column that names a row, alone; default `id`. */
  readonly idColumn?: string | undefined;
  /** The column with the address; default `email`. An index on `lower(email)` serves it. */
  readonly emailColumn?: string | undefined;
}

interface Names {
  readonly table: string;
  readonly link: string;
  readonly id: string;
  readonly email: string;
}

interface Candidate {
  readonly rowId: string;
  readonly linkedTo: string | undefined;
}

/**
 * Keeps links in a table of an app's PostgreSQL. All it needs there is `select`, and `update` of
 * the column that holds the link.
 *
 * @throws {TypeError} where a name is none.
 */
export function createPostgresLink(place: LinkPlace): LinkStorage<MirrorConnection> {
  const { pool, linkColumn = "auth_user_id", idColumn = "id", emailColumn = "email" } = place;
  const names: Names = {
    table: readAppTableName(place.table).quoted,
    link: quoteName(linkColumn),
    id: quoteName(idColumn),
    email: quoteName(emailColumn),
  };
  const using = <T>(run: (db: MirrorConnection) => Promise<T>, transaction?: MirrorConnection) =>
    transaction ? run(transaction) : withConnection(pool, run);
  let known: AppIdType | undefined;
  return {
    findLinked: (userId, transaction) => using((db) => findLinked(db, names, userId), transaction),
    link: (claim, transaction) =>
      using(async (db) => {
        known ??= await findIdType(db, names, idColumn);
        const idType = known;
        const run = () => link(db, names, idType, claim);
        return await (transaction ? run() : inTransaction(db, run));
      }, transaction),
  };
}

async function link(
  db: MirrorConnection,
  names: Names,
  idType: AppIdType,
  claim: LinkClaim,
): Promise<LinkResult> {
  const { userId } = claim;
  // Two rows must not become the same User's, even where no unique index sees to it.
  await db.query("select pg_advisory_xact_lock(hashtextextended($1, 2))", [
    `${names.table} ${userId}`,
  ]);
  const linked = await findLinked(db, names, userId);
  if (linked !== undefined) return { outcome: "already_linked", rowId: linked };
  const [candidate, ...others] = await lockCandidates(db, names, idType, claim);
  if (!candidate) return { outcome: "no_row" };
  if (others.length > 0) return { outcome: "ambiguous" };
  const { rowId, linkedTo } = candidate;
  if (linkedTo !== undefined) return { outcome: "taken", rowId };
  await db.query(
    `update ${names.table} set ${names.link} = $1 where ${names.id} = $2::${idType.name}`,
    [userId, rowId],
  );
  return { outcome: "linked", rowId };
}

async function findLinked(
  db: MirrorConnection,
  { table, link: column, id }: Names,
  userId: string,
): Promise<string | undefined> {
  const { rows } = await db.query(
    `select ${id}::text as row_id from ${table} where ${column} = $1 limit 1`,
    [userId],
  );
  return rows[0] && String(rows[0].row_id);
}

/** Two are as good as many: they only say that there is more than one. */
async function lockCandidates(
  db: MirrorConnection,
  { table, link: column, id, email }: Names,
  idType: AppIdType,
  claim: LinkClaim,
): Promise<Candidate[]> {
  const select = `select ${id}::text as row_id, ${column}::text as linked_to from ${table}`;
  const lock = async (condition: string, value: string): Promise<Candidate[]> => {
    const { rows } = await db.query(`${select} where ${condition} limit 2 for update`, [value]);
    return rows.map((row) => ({
      rowId: String(row.row_id),
      linkedTo: row.linked_to === null ? undefined : String(row.linked_to),
    }));
  };
  const { rowId } = claim;
  if (rowId !== undefined && idType.fits(rowId)) {
    const byId = await lock(`${id} = $1::${idType.name}`, rowId);
    if (byId.length > 0) return byId;
  }
  return claim.email === undefined ? [] : await lock(`lower(${email}) = $1`, claim.email);
}

async function findIdType(
  db: MirrorConnection,
  { table }: Names,
  idColumn: string,
): Promise<AppIdType> {
  const { rows } = await db.query(
    `select format_type(atttypid, null) as type from pg_attribute
      where attrelid = $1::regclass and attname = $2 and attnum > 0 and not attisdropped`,
    [table, idColumn],
  );
  return readAppIdType(idColumn, String(rows[0]?.type ?? "that it has not"));
}
