import { describe, expect, test } from "vitest";
import { Failure } from "../../../src/model/failure.ts";
import { parseUsername } from "../../../src/model/username.ts";

describe("parseUsername", () => {
  test.each([
    ["ada", "ada"],
    ["A", "a"],
    ["Ada.Lovelace_1815-x", "ada.lovelace_1815-x"],
    ["a".repeat(64), "a".repeat(64)],
  ])("gives %j the canonical form %j", (text, canonical) => {
    expect(parseUsername(text, "username")).toBe(canonical);
  });

  test.each([
    [""],
    [" ada"],
    ["ada@example.com"],
    [".ada"],
    ["ada-"],
    ["_"],
    ["a b"],
    ["аda"],
    ["\u212aim"],
    ["ada\n"],
    ["a".repeat(65)],
    [`${"a-".repeat(32_000)}-`],
  ])("refuses %j", (text) => {
    expect(() => parseUsername(text, "username")).toThrow(Failure);
  });
});
