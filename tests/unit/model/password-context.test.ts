import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseEmailAddress } from "../../../src/model/email-address.ts";
import { isMadeOfContext, type PasswordContext } from "../../../src/model/password-context.ts";
import { secret } from "../../../src/model/secret.ts";
import { parseDomain } from "../../../src/model/url.ts";

const context: PasswordContext = {
  site: { name: "Blue Sky Café", domains: ["cloudy.example", "xn--mnchen-3ya.de"].map(toDomain) },
  user: {
    email: parseEmailAddress("ada.king@lovelace.example", "email"),
    username: "countess42",
    displayName: "Zoë Straße",
  },
};
const WORDS = ["signet", "blue", "café", "cloudy", "münchen", "king", "lovelace", "countess"];
const NOBODY: PasswordContext = {
  site: { name: "", domains: [] },
  user: { email: undefined, username: undefined, displayName: "" },
};

describe("a password is one of names", () => {
  test.each([
    ["that of the Site", "BlueSkyCafé2024!"],
    ["that of the Site as a whole", "blue sky café 1"],
    ["the first label of a domain of the Site", "cloudy-cloudy-cloudy"],
    ["… in its Unicode form", "München2024München"],
    ["the username", "countess42countess42"],
    ["… without its digits", "Countess#1815#"],
    ["the address before the @", "ada.king.ada.king"],
    ["the first label of the address's domain", "L0-lovelace-lovelace"],
    ["a word of the display name", "STRASSE strasse straße"],
    ["Signet's", "signet_signet_2026"],
    ["several of them", "kingLovelaceSignet"],
    ["one with a little of one's own", "my lovelace 1815!"],
    ["one in another form of Unicode", "ｌｏｖｅｌａｃｅ１８１５"],
    ["one with an accent of its own", "cafe\u0301cafe\u0301cafe\u0301"],
  ])("with %s", (_which, password) => {
    expect(isMade(password)).toBe(true);
  });

  test.each([
    ["a passphrase that has a name in it", "lovelace rides seven horses"],
    ["a further word of six letters", "lovelace-badger"],
    ["digits alone, without a name", "4815162342481516"],
    ["punctuation alone, without a name", "?!?!?!?!?!?!?!?!"],
    ["words of three letters", "Zoë Zoë Zoë Sky Sky"],
    ["a name of somebody else", "correct horse"],
  ])("but not %s", (_which, password) => {
    expect(isMade(password)).toBe(false);
  });
});

test("names in any case, with digits and punctuation between, make no password", () => {
  const name = fc.constantFrom(...WORDS).chain((word) => fc.constantFrom(...casesOf(word)));
  const joint = fc.string({ unit: fc.constantFrom(..."0123456789 .-_!?#$+=/&"), maxLength: 6 });
  const passwords = fc.array(fc.tuple(name, joint), { minLength: 1, maxLength: 8 });

  fc.assert(
    fc.property(joint, passwords, (before, parts) => {
      const password = before + parts.map(([word, after]) => word + (after || ".")).join("");
      expect(isMade(password)).toBe(true);
    }),
  );
});

test("six letters of one's own are enough, wherever the names stand", () => {
  const letter = fc.constantFrom(..."fhjpqvwxyz"); // Of which no name can come to be by chance.
  const own = fc.string({ unit: letter, minLength: 6, maxLength: 20 });
  const name = fc.constantFrom("", ...WORDS);

  fc.assert(
    fc.property(name, own, name, (before, word, after) => {
      expect(isMade(`${before}${word}${after}`)).toBe(false);
      expect(isMade(`${before}${word.slice(0, 5)}${after}`)).toBe(before !== "" || after !== "");
    }),
  );
});

test("without a name in it a password is never refused, and it may be any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 256 }), (text) => {
      const hasName = text.normalize("NFKC").toLowerCase().includes("signet");
      expect(!hasName && isMade(text, NOBODY)).toBe(false);
    }),
  );
});

function isMade(password: string, names = context): boolean {
  return isMadeOfContext(secret(password), names);
}

function casesOf(word: string): string[] {
  const title = word.charAt(0).toUpperCase() + word.slice(1);
  return [word, word.toUpperCase(), title, word.normalize("NFD")];
}

function toDomain(text: string) {
  return parseDomain(text, "domains");
}
