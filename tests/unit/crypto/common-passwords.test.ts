import { expect, test } from "vitest";
import { isCommonPassword } from "../../../src/crypto/common-passwords.ts";
import { secret } from "../../../src/model/secret.ts";

test.each([
  ["password", true],
  ["PassWord", true],
  ["1234567890", true],
  ["aaaaaaaaaaaaaaaaaaaa", true],
  ["abcabcabcabcabcabc", true],
  ["passwordpassword", true],
  ["correct horse battery staple", false],
  ["a".repeat(127) + "b".repeat(129), false],
])("%s: %s", (password, common) => {
  expect(isCommonPassword(secret(password))).toBe(common);
});
