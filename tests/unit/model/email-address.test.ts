import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseEmailAddress } from "../../../src/model/email-address.ts";
import { Failure } from "../../../src/model/failure.ts";

const parse = (text: string) => parseEmailAddress(text, "email");

describe("parseEmailAddress", () => {
  test.each([
    ["ada@example.com", "ada@example.com"],
    ["  Ada.Lovelace+News@EXAMPLE.Com ", "ada.lovelace+news@example.com"],
    ["ada@münchen.de", "ada@xn--mnchen-3ya.de"],
    ["ada@MÜNCHEN.de", "ada@xn--mnchen-3ya.de"],
    ["ada@mu\u0308nchen.de", "ada@xn--mnchen-3ya.de"],
    ["ada@XN--MNCHEN-3YA.de", "ada@xn--mnchen-3ya.de"],
    ["ada@ｅｘａｍｐｌｅ.com", "ada@example.com"],
    ["ada@example。com", "ada@example.com"],
    ["!#$%&'*+-/=?^_`{|}~@a-b.example", "!#$%&'*+-/=?^_`{|}~@a-b.example"],
    [`${"a".repeat(64)}@example.com`, `${"a".repeat(64)}@example.com`],
  ])("gives %j the canonical form %j", (text, canonical) => {
    expect(parse(text)).toBe(canonical);
  });

  test.each([
    [""],
    ["   "],
    ["ada"],
    ["@example.com"],
    ["ada@"],
    ["ada@localhost"],
    ["ada@@example.com"],
    ["a@b@example.com"],
    [".ada@example.com"],
    ["ada.@example.com"],
    ["a..b@example.com"],
    ['"a b"@example.com'],
    ["ada (home)@example.com"],
    ["Ada <ada@example.com>"],
    ["ada@example.com, bob@example.com"],
    ["ada@[192.0.2.1]"],
    ["ada@[IPv6:2001:db8::1]"],
    ["ada@192.0.2.1"],
    ["ada@127.1"],
    ["ada@example.0x7f"],
    ["ada@example.123"],
    ["ada@１２７.0.0.1"],
    ["ada@example..com"],
    ["ada@.example.com"],
    ["ada@example.com."],
    ["ada@-example.com"],
    ["ada@example-.com"],
    ["ada@exa_mple.com"],
    ["ada@exa%6dple.com"],
    ["ada@example.com/path"],
    ["ada@example.com:25"],
    ["ada@xn--a.com"],
    ["ada@xn--.com"],
    [`ada@${"a".repeat(64)}.com`],
    [`${"a".repeat(65)}@example.com`],
    [`ada@${"a.".repeat(125)}com`],
    [`ada@${"ü.".repeat(120)}com`],
    ["ada@example.com\r\nbcc: eve@example.com"],
    ["ada\r\nbcc: eve@example.com"],
    ["ada\0@example.com"],
    ["ada@example.com\n"],
    ["ada@exa\u00admple.com\ud800"],
  ])("refuses %j", (text) => {
    expect(() => parse(text)).toThrow(Failure);
  });

  test.each([
    ["аda@example.com"], // Cyrillic а.
    ["\u212aim@example.com"], // The Kelvin sign, whose lower case is k.
    ["ａda@example.com"], // Full width.
    ["ad\u0131@example.com"], // The dotless i.
    ["ada\u200b@example.com"], // A space of no width.
    ["ädä@example.com"],
  ])("refuses the look-alike %j, which would be another account's address", (text) => {
    expect(() => parse(text)).toThrow(Failure);
  });

  test("names the field and never the text", () => {
    expect(() => parse("nonsense")).toThrow(
      expect.objectContaining({
        reason: "invalid_field",
        metadata: { field: "email", problem: "must be an e-mail address" },
      }),
    );
  });

  test("is idempotent, and what it accepts can stand in a header", () => {
    const part = fc.string({
      unit: fc.constantFrom(..."abZ09.-_+@ üßΩ名K\u0307\u00ad\u200dıİ。%:"),
    });
    fc.assert(
      fc.property(part, part, (localPart, domain) => {
        const canonical = attempt(`${localPart}@${domain}.com`);
        if (canonical === undefined) return;
        expect(parse(canonical)).toBe(canonical);
        expect(parse(canonical.toUpperCase())).toBe(canonical);
        expect(canonical).toMatch(/^[\x21-\x7e]{1,64}@[a-z0-9.-]+$/);
      }),
      { numRuns: 5_000 },
    );
  });

  test("throws nothing but a Failure, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        attempt(text);
      }),
    );
  });

  test("comes to an end for hostile text, for which a careless pattern takes minutes", () => {
    const hostile = [`${" ".repeat(65_000)}x`, `${"a.".repeat(32_000)}@`, "a@".repeat(32_000)];

    expect(hostile.map(attempt)).toEqual([undefined, undefined, undefined]);
  });
});

function attempt(text: string): string | undefined {
  try {
    return parse(text);
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
    return undefined;
  }
}
