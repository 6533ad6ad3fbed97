import { randomBytes, randomUUID } from "node:crypto";
import { createHashQueue } from "../../src/crypto/hash-queue.ts";
import { createPasswordHasher } from "../../src/crypto/password-hash.ts";
import { createSubkeys } from "../../src/crypto/subkeys.ts";
import type { SiteId } from "../../src/model/id.ts";
import { secret } from "../../src/model/secret.ts";
import { answerParent } from "../child-process.ts";

/** For how long to check passwords. */
export interface CheckPasswords {
  readonly ms: number;
}

/** How many checks one core did. */
export interface PasswordChecks {
  readonly perSecond: number;
}

answerParent(checkPasswords);

/** Checks a password as Login does, again and again, one at a time. */
async function checkPasswords({ ms }: CheckPasswords): Promise<PasswordChecks> {
  const subkeys = createSubkeys({ current: 1, keys: new Map([[1, randomBytes(32)]]) });
  const hasher = await createPasswordHasher(subkeys, createHashQueue({ concurrency: 1 }));
  const caller = { siteId: randomUUID() as SiteId }; // The queue tells Sites apart, no more.
  const password = secret(randomBytes(18).toString("base64url"));
  const stored = await hasher.hash(caller, password);
  const beginMs = performance.now();
  let checks = 0;
  for (; performance.now() - beginMs < ms; checks += 1) {
    if (!(await hasher.verify(caller, password, stored))) throw new Error("the password is right");
  }
  return { perSecond: checks / ((performance.now() - beginMs) / 1_000) };
}
