import { describe, expect, test } from "vitest";
import { Failure } from "../../../src/model/failure.ts";
import { parseLocale, parseText } from "../../../src/model/text.ts";

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
