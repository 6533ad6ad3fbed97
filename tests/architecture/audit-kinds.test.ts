import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const FOLDER = "src/domain";

test("docs/guides/audit.md lists each kind of act that is written, and no other", () => {
  const guide = readFileSync("docs/guides/audit.md", "utf8");

  const documented = [...guide.matchAll(/^\| `([a-z_]+\.[a-z_]+)` \|/gm)].map(([, kind]) => kind);

  expect(documented.toSorted()).toEqual([...new Set(writtenKinds())].toSorted());
});

/** Acts are written as objects with a `kind` that has a dot, and by `recordAct` alone. */
function writtenKinds(): string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) => {
      const text = readFileSync(join(FOLDER, name), "utf8");
      return [...text.matchAll(/kind: "([a-z_]+\.[a-z_]+)"/g)].map(([, kind]) => kind ?? "");
    });
}
