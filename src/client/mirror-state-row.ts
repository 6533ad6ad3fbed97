import { MirrorConflictError, MirrorError } from "./mirror-error.ts";
import type { MirrorNames } from "./mirror-names.ts";
import type { MirrorPhase, MirrorState } from "./mirror-storage.ts";
import { WRITER_SETTING } from "./mirror-tables.ts";
import type { MirrorConnection } from "./postgres-connection.ts";

/** Reads where the Mirror stands. */
export async function readStateRow(
  db: MirrorConnection,
  { state }: MirrorNames,
): Promise<MirrorState> {
  const { rows } = await db.query(
    `select revision::text, phase, site_id, epoch, scope, position::text, exact_position::text,
            cursor, snapshot_after
       from ${state}
      where stream = 'users'`,
  );
  const [row] = rows;
  if (!row) throw new MirrorError(`${state} has lost its row`);
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
  };
}

/**
 * Moves the state from one revision to the next, keeps other writers out until the transaction
 * ends, and lets the guard pass it.
 *
 * @throws {MirrorConflictError} where the revision is another one by now.
 */
export async function moveStateRow(
  db: MirrorConnection,
  { state }: MirrorNames,
  from: MirrorState,
  to: Omit<MirrorState, "revision">,
): Promise<void> {
  const { rows } = await db.query(
    `update ${state}
        set revision = revision + 1, phase = $2, site_id = $3, epoch = $4, scope = $5,
            position = $6, exact_position = $7, cursor = $8, snapshot_after = $9,
            update_time = now()
      where stream = 'users' and revision = $1
      returning set_config('${WRITER_SETTING}', 'on', true)`,
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
  if (rows.length === 0) throw new MirrorConflictError();
}

/** Keeps other writers out until the transaction ends, and lets the guard pass it. */
export async function holdStateRow(db: MirrorConnection, { state }: MirrorNames): Promise<void> {
  await db.query(
    `select set_config('${WRITER_SETTING}', 'on', true)
       from (select 1 from ${state} where stream = 'users' for no key update) as held`,
  );
}

const PHASES: readonly MirrorPhase[] = ["new", "snapshot", "tail", "site_deleted"];

function readPhase(text: string): MirrorPhase {
  const phase = PHASES.find((known) => known === text);
  if (!phase) throw new MirrorError(`a newer version has left the mirror in phase ${text}`);
  return phase;
}
