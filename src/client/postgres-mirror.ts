import type { User } from "../../gen/signet/v1/user_pb.ts";
import { tellCreated } from "./mirror-created.ts";
import { listAlteredRows, listLeafRows, readLeafSums } from "./mirror-digest-rows.ts";
import { type MirrorNames, readMirrorNames } from "./mirror-names.ts";
import { demoteRows, removeRows } from "./mirror-removal.ts";
import { findVersion, listRows, type PutRules, putUsers } from "./mirror-rows.ts";
import {
  countSums,
  holdStateRow,
  moveStateRow,
  moveSums,
  readRecordRow,
  readStateRow,
  writeReconcile,
} from "./mirror-state-row.ts";
import type {
  MirrorRepair,
  MirrorRules,
  MirrorState,
  MirrorStorage,
  MirrorWriter,
  RowOrigin,
  RowVersion,
  WriteResult,
} from "./mirror-storage.ts";
import { addSums, type MirrorSums, NO_SUMS } from "./mirror-sums.ts";
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

type Rules = MirrorRules<MirrorConnection>;

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
  const using = <T>(run: (db: MirrorConnection) => Promise<T>) => withConnection(pool, run);
  const repair = (repaired: MirrorRepair, origin: RowOrigin, rules: Rules) =>
    using((db) => inTransaction(db, () => repairRows(db, names, repaired, origin, rules)));
  return {
    prepare: () => using((db) => prepareTables(db, names)),
    lead: () => takeLead(pool, names),
    readState: () => using((db) => readStateRow(db, names)),
    merge: (users, origin, rules) => repair({ users, wrong: [], recount: false }, origin, rules),
    versionOf: (userId) => using((db) => findVersion(db, names, userId)),
    foreignWrites: () => using((db) => countRefusals(db, names)),
    readDigests: () => using((db) => readLeafSums(db, names)),
    listLeaves: (leaves) => using((db) => listLeafRows(db, names, leaves)),
    listAltered: (after) => using((db) => listAlteredRows(db, names, after)),
    repair,
    readRecord: () => using((db) => readRecordRow(db, names)),
    noteReconcile: (record) => using((db) => writeReconcile(db, names, record)),
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
        const moved = await moveStateRow(connection, names, from, to);
        const putRules = { tombstones, takesOtherScope: true };
        const put = await putWritten(connection, names, write.users, to, { putRules, rules });
        const gone = await removeRows(connection, names, write, tombstones);
        const movement = addSums(put.moved, gone.moved);
        const state = await withSums(connection, names, moved, movement);
        return { ...put.result, removed: put.result.removed + gone.removed, state };
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

/** During a snapshot nobody asks for sums: they are counted once it is complete. */
async function withSums(
  db: MirrorConnection,
  names: MirrorNames,
  state: MirrorState,
  movement: MirrorSums,
): Promise<MirrorState> {
  if (state.phase === "new" || state.phase === "snapshot") return state;
  if (!state.sums) return { ...state, sums: await countSums(db, names) };
  await moveSums(db, names, movement, 0);
  return { ...state, sums: addSums(state.sums, movement) };
}

async function repairRows(
  db: MirrorConnection,
  names: MirrorNames,
  { users, wrong, recount }: MirrorRepair,
  origin: RowOrigin,
  rules: Rules,
): Promise<WriteResult> {
  const { tombstones } = rules;
  const replaced = new Set(users.map(({ id }) => id));
  const isReplaced = ({ id }: RowVersion) => replaced.has(id);
  await holdStateRow(db, names);
  const gone = wrong.filter((row) => !isReplaced(row));
  const removal = await removeRows(db, names, { gone, everyone: false }, tombstones);
  await demoteRows(db, names, wrong.filter(isReplaced));
  const putRules = { tombstones, takesOtherScope: false };
  const { moved, result } = await putWritten(db, names, users, origin, { putRules, rules });
  const removed = result.removed + removal.removed;
  const isMerge = result.written + removed > 0;
  await moveSums(db, names, addSums(moved, removal.moved), isMerge ? 1 : 0);
  if (recount) await countSums(db, names);
  return { ...result, removed };
}

interface Put {
  readonly result: WriteResult;
  readonly moved: MirrorSums;
}

async function putWritten(
  db: MirrorConnection,
  names: MirrorNames,
  users: readonly User[],
  origin: RowOrigin,
  { putRules, rules }: { readonly putRules: PutRules; readonly rules: Rules },
): Promise<Put> {
  const nothing = { written: 0, created: 0, removed: 0 };
  if (users.length === 0) return { result: nothing, moved: NO_SUMS };
  const { createdUsers, moved, ...result } = await putUsers(db, names, users, origin, putRules);
  await tellCreated(rules, db, createdUsers);
  return { result, moved };
}

async function countRefusals(db: MirrorConnection, { refusals }: MirrorNames): Promise<bigint> {
  const { rows } = await db.query(
    `select case when is_called then last_value else 0 end::text as count from ${refusals}`,
  );
  return BigInt(String(rows[0]?.count ?? 0));
}
