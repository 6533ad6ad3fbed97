import { describe, expect, test } from "vitest";
import { hashRecoveryCode, newRecoveryCode } from "../../../src/crypto/recovery-code.ts";
import { newId, parseId, type SiteId, type UserId } from "../../../src/model/id.ts";

const SITE = parseId<SiteId>("0190b3a0-0000-7000-8000-000000000001", "site_id");
const USER = parseId<UserId>("0190b3a0-0000-7000-8000-000000000002", "user_id");

describe("a recovery code", () => {
  test("has at least 128 random bits, in groups that a person can copy", () => {
    const codes = Array.from({ length: 2_000 }, () => newRecoveryCode(SITE, USER).text.reveal());

    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) expect(code).toMatch(/^[a-km-np-z2-9]{4}(-[a-km-np-z2-9]{4}){6}$/);
    const letters = codes.map((code) => code.replaceAll("-", ""));
    const alphabet = new Set(letters.join(""));
    expect((letters[0]?.length ?? 0) * Math.log2(alphabet.size)).toBeGreaterThan(128);
    // That a letter is missing at a place by chance is less likely than 1 in 10^25.
    const places = letters[0]?.length ?? 0;
    const seen = Array.from({ length: places }, (_, n) => new Set(letters.map((each) => each[n])));
    expect(seen.map(({ size }) => size)).toEqual(Array.from({ length: places }, () => 31));
  });

  test("is the same in upper case, with spaces, and without hyphens", () => {
    const { text, hash } = newRecoveryCode(SITE, USER);
    const code = text.reveal();

    for (const typed of [code.toUpperCase(), code.replaceAll("-", " "), code.replaceAll("-", "")]) {
      expect(hashRecoveryCode(SITE, USER, typed)).toEqual(hash);
    }
  });

  test("is another for another User or Site", () => {
    const { text, hash } = newRecoveryCode(SITE, USER);

    expect(hashRecoveryCode(SITE, newId<UserId>(), text.reveal())).not.toEqual(hash);
    expect(hashRecoveryCode(newId<SiteId>(), USER, text.reveal())).not.toEqual(hash);
  });

  test("of an earlier version, with 16 letters, has the hash that was stored of it", () => {
    const hash = hashRecoveryCode(SITE, USER, "ABCD-efgh-jkmn-pqrs");

    expect(hash.toString("hex")).toBe(
      "eaad0ef8c470a1c7f4a9b27500ab1df474090f3604d9115ac1fc235e420db397",
    );
  });
});
