import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const backend = readFileSync("examples/backend.ts", "utf8");

describe.each(["login", "password-reset", "second-factor"])("docs/guides/%s.md", (name) => {
  const guide = readFileSync(`docs/guides/${name}.md`, "utf8");

  test("shows code of examples/backend.ts, which the tests run", () => {
    const blocks = [...guide.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block = ""]) => block);

    expect(blocks.length).toBeGreaterThan(1);
    expect(blocks.filter((block) => !backend.includes(block))).toEqual([]);
  });
});
