import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { Failure } from "../../../src/model/failure.ts";
import { parseNewPassword, parsePasswordAttempt } from "../../../src/model/password.ts";

const parseNew = (text: string, codePointsMin = 8) =>
  parseNewPassword(text, "password", { codePointsMin });

describe("parseNewPassword", () => {
  test("keeps every character, spaces included", () => {
    expect(parseNew("  correct horse ").reveal()).toBe("  correct horse ");
  });

  test("counts code points after composition, not letters of the encoding", () => {
    expect(parseNew("e\u0301".repeat(8)).reveal()).toBe("é".repeat(8));
    expect(parseNew("🔑".repeat(256)).reveal()).toHaveLength(512);
    expect(() => parseNew("🔑".repeat(7))).toThrow(Failure);
    expect(() => parseNew("e\u0301".repeat(7))).toThrow(Failure);
  });

  test("takes the minimum from the Site", () => {
    expect(() => parseNew("x".repeat(14), 15)).toThrow(Failure);
    expect(parseNew("x".repeat(15), 15).reveal()).toHaveLength(15);
  });

  test.each([[""], ["x".repeat(257)], ["🔑".repeat(257)], [`password\ud800`]])(
    "refuses %j",
    (text) => {
      expect(() => parseNew(text)).toThrow(Failure);
    },
  );

  test("shows the password in no print", () => {
    const password = parseNew("correct horse");

    expect([inspect(password), JSON.stringify(password), `${password}`].join()).not.toContain(
      "correct",
    );
  });
});

describe("parsePasswordAttempt", () => {
  test("accepts what an older rule accepted, in the form in which it was set", () => {
    expect(parsePasswordAttempt("e\u0301", "password").reveal()).toBe("é");
  });

  test.each([[""], ["x".repeat(257)], ["\udfff"]])("refuses %j", (text) => {
    expect(() => parsePasswordAttempt(text, "password")).toThrow(Failure);
  });
});
