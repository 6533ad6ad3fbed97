/** The names of a Mirror's objects in PostgreSQL, quoted where they go into a statement. */
export interface MirrorNames {
  readonly schema: string;
  readonly table: string;
  /** The Users. */
  readonly users: string;
  /** Where the Mirror stands: one row. */
  readonly state: string;
  /** Versions of deleted Users, where their rows are not kept. */
  readonly tombstones: string;
  /** Counts refused writes; a sequence, since a count in a table is undone with the write. */
  readonly refusals: string;
  /** The function that refuses. */
  readonly guard: string;
}

const NAME = /^(?:([a-z_][a-z0-9_]{0,62})\.)?([a-z_][a-z0-9_]{0,50})$/;

/** @throws {TypeError} where the name would need quotes, or is too long to build others from. */
export function readMirrorNames(name: string): MirrorNames {
  const [match, schema = "public", table = ""] = NAME.exec(name) ?? [];
  if (!match) {
    throw new TypeError(`${name} is no [schema.]table of lower-case letters, digits and _`);
  }
  const quoted = (suffix: string) => `"${schema}"."${table}${suffix}"`;
  return {
    schema,
    table,
    users: quoted(""),
    state: quoted("_state"),
    tombstones: quoted("_tombstones"),
    refusals: quoted("_refusals"),
    guard: quoted("_guard"),
  };
}
