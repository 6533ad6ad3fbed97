import { describe, expect, test } from "vitest";
import { de } from "../../../src/console/words/de.ts";
import { en } from "../../../src/console/words/en.ts";

type Texts = { readonly [key: string]: string | Texts };

/** Lists every text of a dictionary under the whole path of its key. */
function textsOf(texts: Texts, path = ""): [string, string][] {
  return Object.entries(texts).flatMap(([key, value]) =>
    typeof value === "string" ? [[`${path}${key}`, value]] : textsOf(value, `${path}${key}.`),
  );
}

const english = new Map(textsOf(en));
const german = new Map(textsOf(de));

describe("the dictionaries of the console", () => {
  test("have the same keys", () => {
    expect([...german.keys()].toSorted()).toEqual([...english.keys()].toSorted());
  });

  test("have the same gaps to fill in, each", () => {
    const gaps = (text = ""): string[] => (text.match(/\{\{\w+\}\}/g) ?? []).toSorted();

    const different = [...english.keys()].filter(
      (key) => String(gaps(english.get(key))) !== String(gaps(german.get(key))),
    );

    expect(different).toEqual([]);
  });

  test("leave nothing empty but the word for no problem", () => {
    const empty = [...english, ...german].filter(([, text]) => text.trim() === "");

    const none = "peerProblem.UNSPECIFIED";
    expect(empty.map(([key]) => key)).toEqual([none, none]);
  });
});
