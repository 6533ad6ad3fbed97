import { arrayLiteral, MIRROR_COLUMNS } from "./mirror-columns.ts";
import { contentHash } from "./mirror-content.ts";
import type { MirrorNames } from "./mirror-names.ts";
import type { MirrorWrite, RowVersion } from "./mirror-storage.ts";
import { type MirrorSums, sumsFrom } from "./mirror-sums.ts";
import type { MirrorConnection } from "./postgres-connection.ts";

/** How many rows were removed, and by how much that has moved the sums. */
export interface Removal {
  readonly removed: number;
  readonly moved: MirrorSums;
}

/** Removes rows that still have the version at which they were found to be gone. */
export async function removeRows(
  db: MirrorConnection,
  { users }: MirrorNames,
  { gone, everyone }: Pick<MirrorWrite, "gone" | "everyone">,
  tombstones: "keep" | "delete",
): Promise<Removal> {
  if (gone.length === 0 && !everyone) return { removed: 0, moved: { count: 0n, xor: 0n } };
  const condition = everyone ? "not deleted" : `(id, mirror_epoch, version) in (${GIVEN})`;
  const removal =
    tombstones === "keep"
      ? `update ${users} as present set ${ERASURE} from gone`
      : `delete from ${users} as present using gone`;
  const { rows } = await db.query(
    `with gone as (select id, deleted, mirror_digest from ${users} where ${condition}),
          removed as (${removal} where present.id = gone.id returning present.id)
     select count(*)::integer as removed,
            (-count(*) filter (where not deleted))::text as count,
            bit_xor(mirror_digest) filter (where not deleted)::text as xor
       from gone join removed using (id)`,
    everyone ? [] : givenValues(gone),
  );
  const [row] = rows;
  return { removed: Number(row?.removed ?? 0), moved: sumsFrom(row?.count, row?.xor) };
}

/**
 * Lets rows give way to whatever is written next, if they still are as they were found to be
 * wrong. The transaction writes or removes them.
 */
export async function demoteRows(
  db: MirrorConnection,
  { users }: MirrorNames,
  wrong: readonly RowVersion[],
): Promise<void> {
  if (wrong.length === 0) return;
  await db.query(
    `update ${users} set mirror_epoch = -1 where (id, mirror_epoch, version) in (${GIVEN})`,
    givenValues(wrong),
  );
}

const GIVEN = `select id, epoch, version
                 from unnest($1::uuid[], $2::integer[], $3::bigint[])
                   as given (id, epoch, version)`;

function givenValues(rows: readonly RowVersion[]): unknown[] {
  return [
    arrayLiteral(rows.map(({ id }) => id)),
    arrayLiteral(rows.map(({ epoch }) => String(epoch))),
    arrayLiteral(rows.map(({ version }) => version.toString())),
  ];
}

const ERASED = new Set(
  Object.keys(MIRROR_COLUMNS).filter(
    (name) => !/^(id|site_id|version|create_time|mirror_.*)$/.test(name),
  ),
);

const contentOfErased = contentHash((name) =>
  ERASED.has(name) ? erasedValue(name) : `present.${name}`,
);

/** What a tombstone that nobody has sent looks like. */
const ERASURE = [
  ...[...ERASED].map((name) => `${name} = ${erasedValue(name)}`),
  `mirror_content = ${contentOfErased}`,
].join(", ");

function erasedValue(name: string): string {
  if (name === "deleted") return "true";
  if (name === "state") return "'deleted'";
  if (name === "roles") return "'{}'";
  if (name === "delete_time" || name === "update_time") return "now()";
  return /^(email_verified|mfa_enabled|deletion_protected)$/.test(name) ? "false" : "null";
}
