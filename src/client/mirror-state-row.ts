import { MirrorConflictError, MirrorError } from "./mirror-error.ts";
import type { MirrorNames } from "./mirror-names.ts";
import type { ReconcileRecord } from "./mirror-report.ts";
import type { MirrorPhase, MirrorPlace, MirrorRecord, MirrorState } from "./mirror-storage.ts";
import { type MirrorSums, sumsFrom, toSigned } from "./mirror-sums.ts";
import { WRITER_SETTING } from "./mirror-tables.ts";
import type { MirrorConnection } from "./postgres-connection.ts";

/** The columns of a state, for {@link readStateColumns}. */
export const STATE_COLUMNS = `revision::text, phase, site_id, epoch, scope, position::text,
  exact_position::text, cursor, snapshot_after, user_count::text, user_xor::text, merges::text`;

/** Reads where the Mirror stands. */
export async function readStateRow(
  db: MirrorConnection,
  { state }: MirrorNames,
): Promise<MirrorState> {
  const { rows } = await db.query(`select ${STATE_COLUMNS} from ${state} where stream = 'users'`);
  const [row] = rows;
  if (!row) throw new MirrorError(`${state} has lost its row`);
  return readStateColumns(row);
}

/** Reads a row that has the columns of a state. */
export function readStateColumns(row: Readonly<Record<string, unknown>>): MirrorState {
  return {
    revision: BigInt(String(row.revision)),
    phase: readPhase(String(row.phase)),
    siteId: String(row.site_id),
    epoch: Number(row.epoch),
    scope: String(row.scope),
    position: BigInt(String(row.position)),
    exactPosition: BigInt(String(row.exact_position)),
    cursor: String(row.cursor),
    snapshotAfter: String(row.snapshot_after),
    sums: readSumColumns(row),
    merges: BigInt(String(row.merges)),
  };
}

function readSumColumns(row: Readonly<Record<string, unknown>>): MirrorSums | undefined {
  return row.user_count === null ? undefined : sumsFrom(row.user_count, row.user_xor);
}

/**
 * Moves the state from one revision to the next, keeps other writers out until the transaction
 * ends, and lets the guard pass it. Returns the state with the sums from before the write. In a
 * snapshot nothing waits for the disk: pages that are lost with the machine take their cursor with
 * them, and come again.
 *
 * @throws {MirrorConflictError} where the revision is another one by now.
 */
export async function moveStateRow(
  db: MirrorConnection,
  { state }: MirrorNames,
  from: MirrorState,
  to: MirrorPlace,
): Promise<MirrorState> {
  const { rows } = await db.query(
    `update ${state}
        set revision = revision + 1, phase = $2, site_id = $3, epoch = $4, scope = $5,
            position = $6, exact_position = $7, cursor = $8, snapshot_after = $9,
            user_count = case when $2 in ('new', 'snapshot') then null else user_count end,
            update_time = now()
      where stream = 'users' and revision = $1
      returning ${STATE_COLUMNS}, set_config('${WRITER_SETTING}', 'on', true),
                case when $2 = 'snapshot' then set_config('synchronous_commit', 'off', true) end`,
    [
      from.revision.toString(),
      to.phase,
      to.siteId,
      to.epoch,
      to.scope,
      to.position.toString(),
      to.exactPosition.toString(),
      to.cursor,
      to.snapshotAfter,
    ],
  );
  const [row] = rows;
  if (!row) throw new MirrorConflictError();
  return readStateColumns(row);
}

/** Moves the sums with the rows, and counts a merge. Sums that were not counted stay so. */
export async function moveSums(
  db: MirrorConnection,
  { state }: MirrorNames,
  moved: MirrorSums,
  merges: 0 | 1,
): Promise<void> {
  if (moved.count === 0n && moved.xor === 0n && merges === 0) return;
  await db.query(
    `update ${state}
        set user_count = user_count + $1, user_xor = user_xor # $2, merges = merges + $3
      where stream = 'users'`,
    [moved.count.toString(), toSigned(moved.xor), merges],
  );
}

/** Counts the sums of the rows. */
export async function countSums(
  db: MirrorConnection,
  { state, users }: MirrorNames,
): Promise<MirrorSums> {
  const { rows } = await db.query(
    `update ${state}
        set (user_count, user_xor) = (
              select count(*), coalesce(bit_xor(mirror_digest), 0) from ${users} where not deleted)
      where stream = 'users'
      returning user_count::text, user_xor::text`,
  );
  return sumsFrom(rows[0]?.user_count, rows[0]?.user_xor);
}

/** Reads the Mirror's id and its last comparisons. */
export async function readRecordRow(
  db: MirrorConnection,
  { state }: MirrorNames,
): Promise<MirrorRecord> {
  const { rows } = await db.query(
    `select mirror_id::text as id, reconcile::text as last, deep_reconcile::text as deep
       from ${state} where stream = 'users'`,
  );
  const [row] = rows;
  if (!row) throw new MirrorError(`${state} has lost its row`);
  const { id, last, deep } = row;
  return { id: String(id), last: readReconcile(last), lastDeep: readReconcile(deep) };
}

/** Remembers a comparison. */
export async function writeReconcile(
  db: MirrorConnection,
  { state }: MirrorNames,
  record: ReconcileRecord,
): Promise<void> {
  const json = JSON.stringify({ ...record, position: record.position.toString() });
  await db.query(
    `update ${state}
        set reconcile = $1::jsonb,
            deep_reconcile = case when $2 then $1::jsonb else deep_reconcile end
      where stream = 'users'`,
    [json, record.deep],
  );
}

function readReconcile(json: unknown): ReconcileRecord | undefined {
  if (typeof json !== "string") return undefined;
  const record = JSON.parse(json);
  return { ...record, position: BigInt(record.position) };
}

/** Keeps other writers out until the transaction ends, and lets the guard pass it. */
export async function holdStateRow(db: MirrorConnection, { state }: MirrorNames): Promise<void> {
  await db.query(
    `select set_config('${WRITER_SETTING}', 'on', true)
       from (select 1 from ${state} where stream = 'users' for no key update) as held`,
  );
}

const PHASES: readonly MirrorPhase[] = ["new", "snapshot", "compare", "tail", "site_deleted"];

function readPhase(text: string): MirrorPhase {
  const phase = PHASES.find((known) => known === text);
  if (!phase) throw new MirrorError(`a newer version has left the mirror in phase ${text}`);
  return phase;
}
