import { MIRROR_COLUMNS } from "./mirror-columns.ts";

const COLUMNS = Object.entries(MIRROR_COLUMNS);

/**
 * The hash of a row's content, as SQL, of the expression that stands for each column.
 *
 * It is kept with the row and not generated from it, so that a write that goes past the guard
 * leaves the hash of what was there. PostgreSQL's own hash of a row does not depend on the
 * session's settings, is the same from version to version, since hash partitions rest on it, and
 * takes a third of the time that one over the row's binary form does; it is mistakes that have to
 * show, not attacks.
 */
export function contentHash(expressionOf: (column: string) => string): string {
  const values = COLUMNS.map(([name, type]) => `(${expressionOf(name)})::${type}`).join(", ");
  return `hash_record_extended(row(${values}), 0)`;
}
