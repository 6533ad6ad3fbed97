import type { User } from "../../gen/signet/v1/user_pb.ts";
import { type MirrorNames, readMirrorNames } from "./mirror-names.ts";
import { findVersion, listRows, putUsers, removeRows } from "./mirror-rows.ts";
import { holdStateRow, moveStateRow, readStateRow } from "./mirror-state-row.ts";
import type { MirrorRules, MirrorStorage, MirrorWriter, WriteResult } from "./mirror-storage.ts";
import { prepareTables } from "./mirror-tables.ts";
import {
  inTransaction,
  type MirrorConnection,
  type MirrorPool,
  openConnection,
  type PooledConnection,
  toError,
  withConnection,
} from "./postgres-connection.ts";

/** Which tables of which database hold a Mirror. */
export interface PostgresMirrorPlace {
  /** A `Pool` of pg, or what looks like one. */
  readonly pool: MirrorPool;
  /** `schema.name`; without a schema, of `public`. Default: `public.signet_users`. */
  readonly table?: string | undefined;
}

const DEFAULT_TABLE = "public.signet_users";

/**
 * Keeps a Mirror in PostgreSQL 14 or later.
 *
 * The lead is an advisory lock of one session, and what the leading instance writes goes through
 * that session: once it has lost the lock it can write no more.
 *
 * @throws {TypeError} where the table's name would need quotes.
 */
export function createPostgresMirror({
  pool,
  table = DEFAULT_TABLE,
}: PostgresMirrorPlace): MirrorStorage<MirrorConnection> {
  const names = readMirrorNames(table);
  return {
    prepare: () => withConnection(pool, (db) => prepareTables(db, names)),
    lead: () => takeLead(pool, names),
    readState: () => withConnection(pool, (db) => readStateRow(db, names)),
    merge: (users, origin, rules) =>
      withConnection(pool, (db) =>
        inTransaction(db, async () => {
          await holdStateRow(db, names);
          const { createdUsers, ...result } = await putUsers(db, names, users, origin, {
            tombstones: rules.tombstones,
            takesOtherScope: false,
          });
          await tellCreated(db, createdUsers, rules);
          return result;
        }),
      ),
    versionOf: (userId) => withConnection(pool, (db) => findVersion(db, names, userId)),
    foreignWrites: () => withConnection(pool, (db) => countRefusals(db, names)),
  };
}

async function takeLead(
  pool: MirrorPool,
  names: MirrorNames,
): Promise<MirrorWriter<MirrorConnection> | undefined> {
  const connection = await openConnection(pool);
  try {
    const { rows } = await connection.query(
      "select pg_try_advisory_lock(hashtextextended($1, 0)) as locked",
      [names.users],
    );
    if (rows[0]?.locked === true) return createWriter(connection, names);
    connection.release();
    return undefined;
  } catch (error) {
    connection.release(toError(error));
    throw error;
  }
}

function createWriter(
  connection: MirrorConnection & PooledConnection,
  names: MirrorNames,
): MirrorWriter<MirrorConnection> {
  const losing = new AbortController();
  const lose = () => losing.abort();
  connection.on?.("error", lose);
  const unlock = async () => {
    await connection.query("select pg_advisory_unlock(hashtextextended($1, 0))", [names.users]);
  };
  return {
    lost: losing.signal,
    readState: () => readStateRow(connection, names),
    move: (from, to, write, rules) =>
      inTransaction(connection, async () => {
        const { tombstones } = rules;
        await moveStateRow(connection, names, from, to);
        const put = await putWritten(connection, names, write.users, to, rules);
        const gone = await removeRows(connection, names, write, tombstones);
        const state = { ...to, revision: from.revision + 1n };
        return { ...put, removed: put.removed + gone, state };
      }),
    listRows: (range, except, limit) => listRows(connection, names, range, except, limit),
    async release(failure) {
      const error = losing.signal.aborted ? new Error("the connection was lost") : failure;
      // A connection that is closed gives up its locks by itself.
      const unlockError = error ?? (await unlock().then(() => undefined, toError));
      connection.off?.("error", lose);
      connection.release(unlockError);
    },
  };
}

async function putWritten(
  db: MirrorConnection,
  names: MirrorNames,
  users: readonly User[],
  origin: { readonly epoch: number; readonly scope: string },
  rules: MirrorRules<MirrorConnection>,
): Promise<WriteResult> {
  if (users.length === 0) return { written: 0, created: 0, removed: 0 };
  const { tombstones } = rules;
  const putRules = { tombstones, takesOtherScope: true };
  const { createdUsers, ...result } = await putUsers(db, names, users, origin, putRules);
  await tellCreated(db, createdUsers, rules);
  return result;
}

async function tellCreated(
  db: MirrorConnection,
  users: readonly User[],
  { onCreate }: MirrorRules<MirrorConnection>,
): Promise<void> {
  if (users.length > 0) await onCreate?.(db, users);
}

async function countRefusals(db: MirrorConnection, { refusals }: MirrorNames): Promise<bigint> {
  const { rows } = await db.query(
    `select case when is_called then last_value else 0 end::text as count from ${refusals}`,
  );
  return BigInt(String(rows[0]?.count ?? 0));
}
