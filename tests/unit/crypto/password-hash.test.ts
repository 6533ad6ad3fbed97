import { randomBytes } from "node:crypto";
import * as argon2 from "argon2";
import { describe, expect, test } from "vitest";
import { createHashQueue } from "../../../src/crypto/hash-queue.ts";
import { createPasswordHasher, type PasswordHash } from "../../../src/crypto/password-hash.ts";
import { createSubkeys } from "../../../src/crypto/subkeys.ts";
import { newId, type SiteId } from "../../../src/model/id.ts";
import { secret } from "../../../src/model/secret.ts";

const [first, second] = [randomBytes(32), randomBytes(32)];
const queue = createHashQueue({ concurrency: 2, waitMsMax: 10_000 });
const hasherOf = (current: number, keys: [number, Buffer][]) =>
  createPasswordHasher(createSubkeys({ current, keys: new Map(keys) }), queue);

const hasher = await hasherOf(1, [[1, first]]);
const rotated = await hasherOf(2, [
  [1, first],
  [2, second],
]);
const caller = { siteId: newId<SiteId>() };
const password = secret("correct horse battery staple");

describe("password hasher", () => {
  test("knows the password again, and no other", async () => {
    const stored = await hasher.hash(caller, password);

    expect(await hasher.verify(caller, password, stored)).toBe(true);
    expect(await hasher.verify(caller, secret("correct horse"), stored)).toBe(false);
    expect(await hasher.verify(caller, secret(""), stored)).toBe(false);
  });

  test("hashes with argon2id, 19 MiB, two passes, one lane, and a salt of its own", async () => {
    const [one, other] = [await hasher.hash(caller, password), await hasher.hash(caller, password)];

    expect(one.phc).toMatch(/^\$argon2id\$v=19\$m=19456,p=1,t=2\$[\w+/]{22}\$[\w+/]{43}$/);
    expect(one.phc).not.toBe(other.phc);
    expect(one.pepperVersion).toBe(1);
  });

  test("peppers: the hash is of no use without the master key", async () => {
    const stored = await hasher.hash(caller, password);
    const thief = await hasherOf(1, [[1, second]]);

    expect(await argon2.verify(stored.phc, password.reveal())).toBe(false);
    expect(await thief.verify(caller, password, stored)).toBe(false);
  });

  test("takes every character of a long password into account", async () => {
    const long = "🔑".repeat(255);
    const stored = await hasher.hash(caller, secret(`${long}a`));

    expect(await hasher.verify(caller, secret(`${long}b`), stored)).toBe(false);
    expect(await hasher.verify(caller, secret(`${long}a`), stored)).toBe(true);
  });

  test("says no for nobody, after a real hash", async () => {
    const before = queue.stats().completedTotal;

    expect(await hasher.verify(caller, password, undefined)).toBe(false);
    expect(queue.stats().completedTotal).toBe(before + 1);
  });

  test("verifies under an older master key, and asks for a new hash", async () => {
    const stored = await hasher.hash(caller, password);

    expect(await rotated.verify(caller, password, stored)).toBe(true);
    expect(rotated.needsRehash(stored)).toBe(true);
    expect(hasher.needsRehash(stored)).toBe(false);
    expect(rotated.needsRehash(await rotated.hash(caller, password))).toBe(false);
  });

  test("asks for a new hash of other parameters or another algorithm", async () => {
    const cheap = { memoryCost: 1_024, timeCost: 2, parallelism: 1 } as const;
    const weak = await argon2.hash("x", cheap);
    const { phc } = await hasher.hash(caller, password);

    expect(hasher.needsRehash({ phc: weak, pepperVersion: 1 })).toBe(true);
    const other = phc.replace("$argon2id$", "$argon2i$");
    expect(hasher.needsRehash({ phc: other, pepperVersion: 1 })).toBe(true);
  });

  test("fails loudly when the pepper's master key is missing", async () => {
    const stored = await rotated.hash(caller, password);

    await expect(hasher.verify(caller, password, stored)).rejects.toThrow("master key 2");
  });

  test("leaves room beside hashes of other systems, which may take long", async () => {
    const stored = await hasher.hash(caller, password);
    const bytes = randomBytes(32).toString("base64").replaceAll("=", "");
    const costly = { phc: `$pbkdf2-sha512$i=1000000$${bytes}$${bytes}`, pepperVersion: 0 };
    const done: string[] = [];
    const check = async (name: string, hash: PasswordHash) => {
      const checked = hasher.verify({ siteId: newId<SiteId>() }, password, hash);
      // Of the costly ones, the second may be told to come back later.
      await checked.then(
        () => done.push(name),
        () => undefined,
      );
    };

    await Promise.all([check("costly", costly), check("costly", costly), check("own", stored)]);

    expect(done[0]).toBe("own");
  });
});
