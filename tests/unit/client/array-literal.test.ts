import { describe, expect, test } from "vitest";
import { arrayLiteral } from "../../../src/client/mirror-columns.ts";

describe("the literal of an array", () => {
  test("quotes every element, and writes undefined as null", () => {
    expect(arrayLiteral(["a", "", "null", undefined, "{1,2}"])).toBe(
      '{"a","","null",null,"{1,2}"}',
    );
  });

  test("escapes quotes and backslashes", () => {
    expect(arrayLiteral(['say "hi"', "a\\b", "\\n"])).toBe('{"say \\"hi\\"","a\\\\b","\\\\n"}');
  });

  test("leaves control characters as they are, unlike JSON", () => {
    expect(arrayLiteral(["a\nb\tc", '\\\n"', "\u2028"])).toBe('{"a\nb\tc","\\\\\n\\"","\u2028"}');
  });

  test("is empty without elements", () => {
    expect(arrayLiteral([])).toBe("{}");
  });
});
