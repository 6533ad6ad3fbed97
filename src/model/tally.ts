/** Counts by name; names come from the program, never from a request. */
export interface Tally<Name extends string> {
  add(name: Name): void;
  /** Every name with its count, in the order of the names. */
  entries(): readonly (readonly [Name, number])[];
}

/** Creates a tally in which all names stand from the beginning, with 0. */
export function createTally<Name extends string>(names: readonly Name[]): Tally<Name> {
  const counts = new Map<Name, number>(names.map((name) => [name, 0]));
  return {
    add: (name) => void counts.set(name, (counts.get(name) ?? 0) + 1),
    entries: () => [...counts],
  };
}
