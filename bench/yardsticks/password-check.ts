import { randomBytes, randomUUID } from "node:crypto";
import { availableParallelism } from "node:os";
import { createHashQueue } from "../../src/crypto/hash-queue.ts";
import { createPasswordHasher } from "../../src/crypto/password-hash.ts";
import { createSubkeys } from "../../src/crypto/subkeys.ts";
import type { SiteId } from "../../src/model/id.ts";
import { secret } from "../../src/model/secret.ts";
import { answerParent } from "../child-process.ts";

/** For how long to check passwords, and how many at once. */
export interface CheckPasswords {
  readonly ms: number;
  readonly atOnce: number;
}

/** How many checks all of them did. */
export interface PasswordChecks {
  readonly perSecond: number;
}

// Before the first use of a thread, which is when libuv reads it.
process.env.UV_THREADPOOL_SIZE = `${availableParallelism()}`;
answerParent(checkPasswords);

/** Checks a password as Login does, again and again. */
async function checkPasswords({ ms, atOnce }: CheckPasswords): Promise<PasswordChecks> {
  const subkeys = createSubkeys({ current: 1, keys: new Map([[1, randomBytes(32)]]) });
  const hasher = await createPasswordHasher(subkeys, createHashQueue({ concurrency: atOnce }));
  const caller = { siteId: randomUUID() as SiteId }; // The queue tells Sites apart, no more.
  const password = secret(randomBytes(18).toString("base64url"));
  const stored = await hasher.hash(caller, password);
  const beginMs = performance.now();
  let checks = 0;
  const checkAgain = async (): Promise<void> => {
    for (; performance.now() - beginMs < ms; checks += 1) {
      const isRight = await hasher.verify(caller, password, stored);
      if (!isRight) throw new Error("the password is right");
    }
  };
  await Promise.all(Array.from({ length: atOnce }, checkAgain));
  return { perSecond: checks / ((performance.now() - beginMs) / 1_000) };
}
