import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

/** How many requirements of levels 1 and 2 each section of OWASP ASVS 5.0.0 has, from 1 on. */
const SECTIONS: Readonly<Record<string, readonly number[]>> = {
  "1": [2, 9, 11, 3, 2],
  "2": [3, 3, 4, 1],
  "3": [0, 2, 4, 6, 5, 0, 2],
  "4": [3, 1, 2, 4],
  "6": [3, 12, 4, 4, 5, 3, 0, 4],
  "7": [3, 4, 2, 5, 2, 2],
  "8": [2, 3, 1, 1],
  "9": [3, 4],
  "11": [2, 3, 3, 4, 1, 1],
  "12": [3, 2, 4],
  "13": [1, 5, 2, 5],
  "14": [2, 4, 3],
  "15": [3, 3, 7],
  "16": [1, 5, 4, 3, 3],
};
/** Chapters of which nothing applies, in one row each. */
const CHAPTERS = ["5", "10", "17"];
/** What may be said in place of a test, and what is shown by the page itself. */
const WITHOUT_TEST =
  /^\*(Not met|Not applicable|Yours|Partly)\*|^Above\.$|^The image |^\[SECURITY\.md\]/;

const page = readFileSync("docs/security.md", "utf8");
const rows = [...page.matchAll(/^\| (\d[\d.]*) \| (.+) \| (.+) \| (.*) \|$/gm)].map(
  ([, id = "", , how = "", tests = ""]) => ({ id, how, tests: namesIn(tests) }),
);

describe("docs/security.md", () => {
  test("has every requirement of OWASP ASVS once, and in order", () => {
    expect(rows.map(({ id }) => id)).toEqual(requirements());
  });

  test("names only tests that are there", () => {
    const named = rows.flatMap(({ tests }) => tests);

    expect(named.length).toBeGreaterThan(100);
    expect(named.filter((name) => !existsSync(`tests/${name}.test.ts`))).toEqual([]);
  });

  test("names a test for what is met", () => {
    const bare = rows.filter(({ how, tests }) => tests.length === 0 && !WITHOUT_TEST.test(how));

    expect(bare.map(({ id }) => id)).toEqual([]);
  });

  test("leads nowhere that is not there", () => {
    const links = [...page.matchAll(/\]\(([^):#]+)\)/g)].map(([, path = ""]) => path);

    expect(links.length).toBeGreaterThan(5);
    expect(links.filter((path) => !existsSync(`docs/${path}`))).toEqual([]);
  });

  test("gives commands that are there", () => {
    const scripts = (JSON.parse(readFileSync("package.json", "utf8")) as Package).scripts;
    const commands = [...page.matchAll(/npm run ([\w:]+)/g)].map(([, name = ""]) => name);

    expect(commands.length).toBeGreaterThan(5);
    expect(commands.filter((name) => !(name in scripts))).toEqual([]);
  });
});

interface Package {
  readonly scripts: Readonly<Record<string, string>>;
}

function namesIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
}

function requirements(): string[] {
  const chapters = [...Object.keys(SECTIONS), ...CHAPTERS];
  chapters.sort((one, other) => Number(one) - Number(other));
  return chapters.flatMap((chapter) => {
    const sections = SECTIONS[chapter];
    if (!sections) return [chapter];
    return sections.flatMap((count, section) =>
      Array.from({ length: count }, (_, n) => `${chapter}.${section + 1}.${n + 1}`),
    );
  });
}
