import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../src/model/json.ts";
import { parseMetadata } from "../../../src/model/metadata.ts";
import { rejection } from "../../support/waiting.ts";

describe("parseMetadata", () => {
  test.each<[JsonObject]>([
    [{ plan: "free", seats: 3, trial: true, ends: null, tags: ["a", { b: [] }] }],
    [{ text: "x".repeat(8_192 - '{"text":""}'.length) }],
    [nested(16)],
    [{ backslash: "\\u0000" }],
  ])("takes what JSON can hold", (metadata) => {
    expect(parseMetadata(metadata, "metadata")).toEqual(metadata);
  });

  test("takes no attributes for none at all", () => {
    expect(parseMetadata({}, "metadata")).toBeUndefined();
    expect(parseMetadata(undefined, "metadata")).toBeUndefined();
  });

  test.each<[string, string, JsonObject]>([
    ["metadata", "8192 bytes", { text: "x".repeat(8_193 - '{"text":""}'.length) }],
    ["metadata", "8192 bytes", { text: "ü".repeat(4_096) }],
    ["metadata.n0", "16 deep", nested(17)],
    ["metadata.rate", "finite", { rate: Number.NaN }],
    ["metadata.rates", "finite", { rates: [1, Number.POSITIVE_INFINITY] }],
    ["metadata.name", "NUL", { name: "a\0b" }],
    ["metadata.name", "NUL", { name: { "a\0b": 1 } }],
    [`metadata.${"é".repeat(64)}…`, "NUL", { ["é".repeat(20_000)]: "a\0b" }],
    ["metadata", "NUL", { "a\0b": 1 }],
    ["metadata.name", "Unicode", { name: "\ud800" }],
    ["metadata", "Unicode", { "\ud800": 1 }],
  ])("refuses %s, which must be %s", async (field, problem, metadata) => {
    const refused = rejection(Promise.resolve().then(() => parseMetadata(metadata, "metadata")));

    expect(await refused).toMatchObject({
      reason: "invalid_field",
      metadata: { field, problem: expect.stringContaining(problem) },
    });
  });
});

/** An object that is so many objects deep. */
function nested(depth: number): JsonObject {
  let inner: JsonObject = {};
  for (let n = depth - 2; n >= 0; n -= 1) inner = { [`n${n}`]: inner };
  return inner;
}
