import { describe, expect, test } from "vitest";
import { readAppIdType } from "../../../src/client/link-id-type.ts";
import { quoteName, readAppTableName } from "../../../src/client/link-names.ts";

describe("the name of an app's table", () => {
  test.each([
    ["users", `"public"."users"`],
    ["shop.users", `"shop"."users"`],
    ["Shop.User Accounts", `"Shop"."User Accounts"`],
    [`"my.shop"."user""s"`, `"my.shop"."user""s"`],
    [`x;drop table y--`, `"public"."x;drop table y--"`],
  ])("is %s, and goes into statements as %s", (text, quoted) => {
    expect(readAppTableName(text).quoted).toBe(quoted);
  });

  test.each(["", ".", "a.", ".b", "a.b.c", `"a`, `a"b`, "a\0b", "x".repeat(64)])(
    "is not %j",
    (text) => {
      expect(() => readAppTableName(text)).toThrow(TypeError);
    },
  );

  test("has 63 bytes at most, as PostgreSQL would cut off the rest", () => {
    expect(quoteName("ä".repeat(31))).toBe(`"${"ä".repeat(31)}"`);
    expect(() => quoteName("ä".repeat(32))).toThrow("1 to 63 bytes");
  });
});

describe("the type of an app's ids", () => {
  test.each([
    ["smallint", "-32768", "32768"],
    ["integer", "2147483647", "2147483648"],
    ["bigint", "9223372036854775807", "9223372036854775808"],
    ["bigint", "0", "00"],
    ["uuid", "0197A000-0000-7000-8000-000000000001", "0197a000"],
    ["text", "whatever", "a\0b"],
    ["extensions.citext", "whatever", "a\0b"],
  ])("%s has %j, and not %j", (type, good, bad) => {
    const { fits } = readAppIdType("id", type);

    expect([fits(good), fits(bad)]).toEqual([true, false]);
  });

  test.each(["timestamp with time zone", "character", "jsonb", "citext2"])("is not %s", (type) => {
    expect(() => readAppIdType("id", type)).toThrow("id is of type");
  });
});
