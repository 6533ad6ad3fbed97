import { MIRROR_COLUMNS } from "./mirror-columns.ts";
import { contentHash } from "./mirror-content.ts";
import type { MirrorNames } from "./mirror-names.ts";
import { readStateColumns, STATE_COLUMNS } from "./mirror-state-row.ts";
import type { AlteredRows, LeafRow, MirrorDigests, RowVersion } from "./mirror-storage.ts";
import { sumsFrom } from "./mirror-sums.ts";
import type { MirrorConnection } from "./postgres-connection.ts";

/** Sums up every leaf, in one scan of the table and one snapshot with the state. */
export async function readLeafSums(
  db: MirrorConnection,
  { users, state }: MirrorNames,
): Promise<MirrorDigests> {
  const { rows } = await db.query(
    `with leaves as (
       select mirror_leaf as leaf, count(*) as count, bit_xor(mirror_digest) as xor
         from ${users} where not deleted group by mirror_leaf)
     select ${STATE_COLUMNS},
            (select json_agg(json_build_array(leaf, count, xor::text))::text from leaves) as leaves
       from ${state} where stream = 'users'`,
  );
  const [row = {}] = rows;
  const leaves: [number, number, string][] = JSON.parse(String(row.leaves ?? "[]"));
  return {
    state: readStateColumns(row),
    leaves: new Map(leaves.map(([leaf, count, xor]) => [leaf, sumsFrom(count, xor)])),
  };
}

/** Lists the rows of some leaves, tombstones included. */
export async function listLeafRows(
  db: MirrorConnection,
  { users }: MirrorNames,
  leaves: readonly number[],
): Promise<LeafRow[]> {
  const { rows } = await db.query(
    `select id::text, mirror_epoch as epoch, version::text, mirror_leaf as leaf, deleted
       from ${users} where mirror_leaf = any ($1::integer[])`,
    [`{${leaves.join(",")}}`],
  );
  return rows.map((row) => ({
    ...toRowVersion(row),
    leaf: Number(row.leaf),
    deleted: row.deleted === true,
  }));
}

/** So many rows at a time take well under a second to hash. */
const HASHED_MAX = 50_000;
const FIRST_ID = "00000000-0000-0000-0000-000000000000";

/** Looks for rows that do not have the content with which they were written. */
export async function listAlteredRows(
  db: MirrorConnection,
  { users }: MirrorNames,
  after: string,
): Promise<AlteredRows> {
  const { rows } = await db.query(
    `with looked_at as materialized (
       select id, mirror_epoch, version,
              mirror_content is distinct from ${contentHash((name) => name)} as altered
         from (select ${Object.keys(MIRROR_COLUMNS).join(", ")}, mirror_content
                 from ${users} where id > $1::uuid
                order by ${users}.id limit ${HASHED_MAX}) as part)
     select id::text, mirror_epoch as epoch, version::text, altered
       from looked_at
      where altered or id = (select id from looked_at order by looked_at.id desc limit 1)
      order by looked_at.id`,
    [after || FIRST_ID],
  );
  return {
    rows: rows.filter(({ altered }) => altered).map(toRowVersion),
    next: rows.length > 0 ? String(rows.at(-1)?.id) : undefined,
  };
}

function toRowVersion(row: Readonly<Record<string, unknown>>): RowVersion {
  return {
    id: String(row.id),
    epoch: Number(row.epoch),
    version: BigInt(String(row.version)),
  };
}
