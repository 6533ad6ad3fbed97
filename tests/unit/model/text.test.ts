import { describe, expect, test } from "vitest";
import { Failure } from "../../../src/model/failure.ts";
import { normalizeText, parseLocale, parseText, printableText } from "../../../src/model/text.ts";

const parse = (text: string, required = false) => parseText(text, "name", { max: 5, required });

describe("parseText", () => {
  test.each([
    ["  Ada ", "Ada"],
    ["", ""],
    ["u\u0308", "ü"],
    ["a\u0301".repeat(5), "á".repeat(5)],
    ["👩🏽‍🚀x", "👩🏽‍🚀x"],
    ["名前", "名前"],
  ])("reads %j as %j", (text, name) => {
    expect(parse(text)).toBe(name);
  });

  test.each([
    ["abcdef"],
    ["👩👩👩👩👩👩"],
    ["a\nb"],
    ["a\tb"],
    ["a\0b"],
    ["a\u0085b"],
    ["a\u2028b"],
    ["a\u202eb"],
    ["a\ud800"],
    ["\udc00a"],
  ])("refuses %j", (text) => {
    expect(() => parse(text)).toThrow(Failure);
  });

  test("refuses an empty text where one is required", () => {
    expect(() => parse("  ", true)).toThrow(Failure);
  });
});

/** To bring marks into order takes quadratic time: minutes, for so many. */
const MARKS = "\u0301".repeat(100_000) + "\u0327".repeat(100_000);

describe("a long text of marks alone is refused before it is put into form NFC", () => {
  test.each([
    ["where it is short", () => parse(`a${MARKS}`), "at most 5 characters"],
    ["where it may be long", () => normalizeText(`a${MARKS}`, "name"), "30 marks"],
  ])("%s", (_where, read, problem) => {
    expect(read).toThrow(
      expect.objectContaining({
        reason: "invalid_field",
        metadata: { field: "name", problem: expect.stringContaining(problem) },
      }),
    );
  });

  test("but not what any writing needs", () => {
    const text = `a${"\u0301".repeat(30)}`.repeat(100);

    expect(normalizeText(text, "name")).toBe(text.normalize("NFC"));
    expect(parse("a\u0301\u0327\u0301\u0327")).toBe("a\u0301\u0327\u0301\u0327".normalize("NFC"));
  });
});

describe("printableText", () => {
  test.each([
    ["Mozilla/5.0 (X11; Linux)", "Mozilla/5.0 (X11; Linux)"],
    ["a\0b\u001b[2J\u009b", "a\ufffdb\ufffd[2J\ufffd"],
    ["\ud800a\u202eb", "\ufffda\ufffdb"],
    [`${"x".repeat(29)}😀`, `${"x".repeat(29)}\ufffd`],
    ["x".repeat(31), "x".repeat(30)],
  ])("makes of %j what can be kept and shown", (text, expected) => {
    expect(printableText(text, 30)).toBe(expected);
  });
});

describe("parseLocale", () => {
  test.each([
    ["de", "de"],
    ["EN-us", "en-US"],
    ["zh-hant-tw", "zh-Hant-TW"],
    ["iw", "he"],
  ])("reads %j as %j", (text, locale) => {
    expect(parseLocale(text, "locale")).toBe(locale);
  });

  test.each([[""], ["de_DE"], ["x"], ["englisch!"], ["en-".repeat(20)], ["de\r\n"]])(
    "refuses %j",
    (text) => {
      expect(() => parseLocale(text, "locale")).toThrow(Failure);
    },
  );
});
