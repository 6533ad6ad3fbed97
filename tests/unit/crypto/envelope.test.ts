import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEnvelope, type SealScope, sealedKeyVersion } from "../../../src/crypto/envelope.ts";
import { createSubkeys } from "../../../src/crypto/subkeys.ts";
import { newId, type SiteId } from "../../../src/model/id.ts";

const [first, second] = [randomBytes(32), randomBytes(32)];
const old = createEnvelope(createSubkeys({ current: 1, keys: new Map([[1, first]]) }));
const rotatedKeys = new Map([
  [1, first],
  [2, second],
]);
const rotated = createEnvelope(createSubkeys({ current: 2, keys: rotatedKeys }));
const retired = createEnvelope(createSubkeys({ current: 2, keys: new Map([[2, second]]) }));
const scope: SealScope = { purpose: "signing_key", siteId: newId<SiteId>(), context: ["key-1"] };
const plaintext = Buffer.from("a private key");

describe("envelope", () => {
  test("opens what it sealed", () => {
    expect(old.open(scope, old.seal(scope, plaintext))).toEqual(plaintext);
  });

  test("opens what an older master key sealed, and seals under the current one", () => {
    const sealed = old.seal(scope, plaintext);

    expect(rotated.open(scope, sealed)).toEqual(plaintext);
    expect(sealedKeyVersion(sealed)).toBe(1);
    expect(sealedKeyVersion(rotated.seal(scope, plaintext))).toBe(2);
  });

  test("names the version of a master key that is missing", () => {
    const sealed = old.seal(scope, plaintext);

    expect(() => retired.open(scope, sealed)).toThrow("master key 1 is not configured");
  });

  test("does not open with any one byte altered, or cut short", () => {
    const sealed = old.seal(scope, plaintext);
    fc.assert(
      fc.property(
        fc.nat({ max: sealed.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (at, bits) => {
          const altered = Buffer.from(sealed);
          altered.writeUInt8(altered.readUInt8(at) ^ bits, at);

          expect(() => old.open(scope, altered)).toThrow();
          expect(() => old.open(scope, sealed.subarray(0, at))).toThrow();
        },
      ),
      { numRuns: 500 },
    );
  });

  test.each<[string, SealScope]>([
    ["another purpose", { ...scope, purpose: "totp" }],
    ["another Site", { ...scope, siteId: newId<SiteId>() }],
    ["no Site", { ...scope, siteId: undefined }],
    ["another row", { ...scope, context: ["key-2"] }],
    ["more context", { ...scope, context: ["key-1", ""] }],
    ["context cut elsewhere", { ...scope, context: ["key", "-1"] }],
  ])("does not open for %s", (_, other) => {
    const sealed = old.seal(scope, plaintext);

    expect(() => old.open(other, sealed)).toThrow("do not open");
  });

  test("does not say what is sealed or how in its errors", () => {
    const sealed = old.seal(scope, plaintext).fill(0, 10);

    expect(() => old.open(scope, sealed)).toThrow(/^signing_key: sealed bytes do not open$/);
  });
});

describe("createSubkeys", () => {
  test.each([
    ["no key of the current version", { current: 2, keys: new Map([[1, first]]) }],
    ["a key of 31 bytes", { current: 1, keys: new Map([[1, randomBytes(31)]]) }],
    ["a version of 0", { current: 0, keys: new Map([[0, first]]) }],
    ["a version past 32 bits", { current: 2 ** 32, keys: new Map([[2 ** 32, first]]) }],
  ])("refuses %s", (_, masterKeys) => {
    expect(() => createSubkeys(masterKeys)).toThrow(Error);
  });

  test("derives the same key again after many others, and never one key twice", () => {
    const subkeys = createSubkeys({ current: 1, keys: new Map([[1, first]]) });
    const siteIds = Array.from({ length: 1_500 }, () => newId<SiteId>());
    const derive = () => siteIds.map((id) => subkeys.derive(1, "p", id)?.toString("hex"));

    const keys = derive();

    expect(derive()).toEqual(keys);
    expect(new Set(keys).size).toBe(siteIds.length);
  });
});
