import type { User } from "../../gen/signet/v1/user_pb.ts";
import type { UserDifference } from "./mirror-report.ts";
import { isTombstone } from "./mirror-step.ts";
import type { LeafRow, RowVersion } from "./mirror-storage.ts";

/** A User in whom a Mirror differs from its Site. */
export interface RowDifference {
  readonly id: string;
  readonly kind: UserDifference;
  /** The Mirror's row, or its tombstone. */
  readonly row: (RowVersion & { readonly deleted?: boolean }) | undefined;
}

/** Compares the rows of some leaves with the versions that the Site has in them. */
export function differencesOf(
  rows: readonly LeafRow[],
  versions: ReadonlyMap<string, bigint>,
  epoch: number,
): Map<string, RowDifference> {
  const found = new Map<string, RowDifference>();
  const present = new Map(rows.map((row) => [row.id, row]));
  for (const [id, version] of versions) {
    const row = present.get(id);
    const kind = kindOf(row, version, epoch);
    if (kind) found.set(id, { id, kind, row });
  }
  for (const row of rows) {
    const { id } = row;
    if (!row.deleted && !versions.has(id)) found.set(id, { id, kind: "extra", row });
  }
  return found;
}

function kindOf(
  row: LeafRow | undefined,
  version: bigint,
  epoch: number,
): UserDifference | undefined {
  if (!row || row.deleted) return "missing";
  if (row.version === version) return undefined;
  // What a restore has taken back is stale, however high its version.
  return row.version < version || row.epoch < epoch ? "stale" : "altered";
}

/**
 * Keeps the differences that a second look has shown again, with the row as it was: the others
 * were on their way.
 */
export function confirmedBy(
  second: ReadonlyMap<string, RowDifference>,
  first: ReadonlyMap<string, RowDifference>,
): RowDifference[] {
  return [...second.values()].filter(({ id, kind, row }) => {
    const before = first.get(id);
    return before?.kind === kind && before.row?.version === row?.version;
  });
}

/** Whether a difference still is one, seen the User whom the Site has, if any. */
export function isStillWrong({ kind }: RowDifference, user: User | undefined): boolean {
  if (kind === "altered") return true;
  const isThere = user !== undefined && !isTombstone(user);
  return isThere === (kind !== "extra");
}

/** Whether the row has to give way even though its version would win. */
export function isWrongAsItIs({ kind, row }: RowDifference): boolean {
  return kind === "extra" || kind === "altered" || row?.deleted === true;
}
