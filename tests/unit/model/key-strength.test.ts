import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { keyWeakness } from "../../../src/model/key-strength.ts";

describe("keyWeakness", () => {
  test("finds nothing in random keys", () => {
    const keys = Array.from({ length: 2_000 }, () => randomBytes(32));

    const found = keys.map(keyWeakness).filter((weakness) => weakness !== undefined);

    expect(found).toEqual([]);
  });

  test.each([
    ["zeros", Buffer.alloc(32), "repeats one byte"],
    ["one byte", Buffer.alloc(32, 0xa7), "repeats one byte"],
    ["a short pattern", Buffer.alloc(32, Buffer.from("00ff80", "hex")), "repeats a pattern"],
    ["half a key twice", Buffer.alloc(32, randomBytes(16)), "repeats a pattern"],
    ["a count", Buffer.from(Array.from({ length: 32 }, (_, n) => n)), "counts up or down"],
    ["a count down", Buffer.from(Array.from({ length: 32 }, (_, n) => 5 - n)), "counts up or down"],
    ["a pass-phrase", Buffer.from("correct horse battery staple 123"), "is text"],
    ["few values", Buffer.concat([Buffer.alloc(17), randomBytes(15)]), "has too few"],
  ])("sees %s", (_, key, weakness) => {
    expect(keyWeakness(key)).toContain(weakness);
  });
});
