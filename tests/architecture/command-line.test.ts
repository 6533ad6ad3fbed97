import { globSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { runSignet } from "../support/programs.ts";

/** Commands that print no answer to a request. */
const WITHOUT_JSON = ["completion", "migrate"];

const { stdout: script } = await runSignet(["completion", "bash"], {});

/** The options of each command and of each group, as shells know them. */
const optionsOf = new Map(
  [...script.matchAll(/^ {4}"signet ([^"-][^"]*)"\) (.*) ;;$/gm)]
    .filter(([, path = ""]) => !/ --|help$/.test(path))
    .map(([, path = "", facts = ""]) => [path, / ?options="([^"]*)"/.exec(facts)?.[1]?.split(" ")]),
);
const groups = new Set([...optionsOf.keys()].map((path) => path.split(" ").slice(0, -1).join(" ")));
const commands = [...optionsOf.keys()].filter((path) => !groups.has(path));

describe("docs/guides/command-line.md", () => {
  const guide = readFileSync("docs/guides/command-line.md", "utf8");
  const [, table = ""] = guide.split("## What `--json` prints");

  test("says what each command prints for programs, once", () => {
    const rows = [...table.matchAll(/^\| `([a-z -]+)` \|/gm)].map(([, path]) => path);

    const expected = commands.filter((path) => !WITHOUT_JSON.includes(path));
    expect(expected.length).toBeGreaterThan(30);
    expect(rows.toSorted()).toEqual(expected.toSorted());
  });
});

const lines = ["README.md", ...globSync("docs/guides/*.md")].flatMap((file) =>
  [...readFileSync(file, "utf8").matchAll(/^```sh\n(.*?)^```$/gms)]
    .flatMap(([, block = ""]) => block.replaceAll("\\\n", " ").split("\n"))
    .map((line) => line.replace(/^\$ /, "").replace(/^npm run signet -- /, "signet "))
    .filter((line) => line.startsWith("signet "))
    .map((line) => [file, line] as const),
);

test("guides have lines to check", () => {
  expect(lines.length).toBeGreaterThan(20);
});

test.each(lines)("%s names a command and options that there are: %s", (_, line) => {
  const words = line
    .replace(/ [|#<>] .*$/, "")
    .split(/\s+/)
    .slice(1);
  const named = words[0] === "--profile" ? words.slice(2) : words;
  const paths = [3, 2, 1].map((length) => named.slice(0, length).join(" "));
  const path = paths.find((each) => optionsOf.has(each)) ?? "";
  const flags = words.filter((word) => /^--[a-z]/.test(word)).map((word) => word.split("=")[0]);

  expect(commands).toContain(path);
  expect(optionsOf.get(path)).toEqual(expect.arrayContaining(flags));
});
