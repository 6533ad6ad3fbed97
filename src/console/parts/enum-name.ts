/** The generated enums are objects from names to numbers. */
type EnumObject = Readonly<Record<string, number>>;

/** The names of an enum's values. */
export type Name<E extends EnumObject> = Extract<keyof E, string>;

/** Returns the name of a value; `UNSPECIFIED` for one that this console does not know yet. */
export function nameOf<E extends EnumObject>(values: E, value: number): Name<E> {
  const found = Object.keys(values).find((name) => values[name] === value);
  return (found ?? "UNSPECIFIED") as Name<E>;
}

/** Returns the names of all values but UNSPECIFIED, in their order. */
export function namesOf<E extends EnumObject>(
  values: E,
): readonly Exclude<Name<E>, "UNSPECIFIED">[] {
  const names = Object.keys(values).filter((name) => name !== "UNSPECIFIED");
  return names as Exclude<Name<E>, "UNSPECIFIED">[];
}
