import type { DescEnum, EnumShape } from "@bufbuild/protobuf";

/** The words that people use for the values of an enum, such as `users.read`. */
export interface EnumWords<Value> {
  readonly words: readonly string[];
  /** Undefined for a word that is not among {@link words}. */
  valueOf(word: string): Value | undefined;
  wordOf(value: Value): string;
}

/** Makes the words of an enum from the names of its values, which are upper case. */
export function enumWords<Desc extends DescEnum>(
  desc: Desc,
  separator = "_",
): EnumWords<EnumShape<Desc>> {
  const toWord = (name: string) => name.toLowerCase().replaceAll("_", separator);
  // The first value, 0, only says that nothing was said.
  const given = desc.values.filter(({ number }) => number !== 0);
  const values = new Map(
    given.map(({ localName, number }) => [toWord(localName), number as EnumShape<Desc>]),
  );
  return {
    words: [...values.keys()],
    valueOf: (word) => values.get(word),
    wordOf: (value) => toWord(desc.value[value as number]?.localName ?? String(value)),
  };
}
