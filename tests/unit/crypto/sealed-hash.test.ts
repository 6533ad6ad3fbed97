import { randomBytes, randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { createEnvelope } from "../../../src/crypto/envelope.ts";
import { openHash, sealHash } from "../../../src/crypto/sealed-hash.ts";
import { createSubkeys } from "../../../src/crypto/subkeys.ts";
import type { SiteId } from "../../../src/model/id.ts";

const envelope = createEnvelope(
  createSubkeys({ current: 1, keys: new Map([[1, randomBytes(32)]]) }),
);
const siteId = randomUUID() as SiteId;
const HASH = "$2b$10$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyz01234";

test("a sealed hash says nothing, and opens at its own Site alone", () => {
  const sealed = sealHash(envelope, siteId, HASH);

  expect(sealed).not.toContain(HASH.slice(-8));
  expect(openHash(envelope, siteId, sealed)).toBe(HASH);
  expect(() => openHash(envelope, randomUUID() as SiteId, sealed)).toThrow("do not open");
});

test("a hash that was stored before hashes were sealed is read as it is", () => {
  expect(openHash(envelope, siteId, HASH)).toBe(HASH);
});
