import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { editText } from "../weakened/weakened-copy.ts";
import { WEAKENINGS } from "../weakened/weakenings.ts";

const ROOT = join(import.meta.dirname, "../..");

describe("the weakened builds", () => {
  test("have a name each", () => {
    const names = WEAKENINGS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(0);
  });

  test.each(WEAKENINGS)("can be made, and a test is there to notice: $name", async (weakening) => {
    const { edits, noticedBy } = weakening;
    for (const edit of edits) {
      const whole = await readFile(join(ROOT, edit.file), "utf8");
      expect(editText(whole, edit)).not.toBe(whole);
    }
    if ("test" in noticedBy) await access(join(ROOT, "tests", noticedBy.test));
  });
});
