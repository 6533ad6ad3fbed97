import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const OWN_LINES_MAX = 15;

const readme = readFileSync("README.md", "utf8");
const example = readFileSync("examples/sibling-app.ts", "utf8");

describe("the example of the README", () => {
  test("is examples/sibling-app.ts, which the tests run", () => {
    const blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block]) => block);

    expect(blocks).toContain(example);
  });

  test(`needs at most ${OWN_LINES_MAX} lines of the app's own`, () => {
    const lines = example.split("\n").map((line) => line.trim());
    const own = lines.filter((line) => line !== "" && !line.startsWith("//"));

    expect(own.length).toBeLessThanOrEqual(OWN_LINES_MAX);
  });
});
