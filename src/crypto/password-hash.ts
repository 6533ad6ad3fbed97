import { createHmac, randomBytes } from "node:crypto";
import * as argon2 from "argon2";
import type { SiteId } from "../model/id.ts";
import { type Secret, secret } from "../model/secret.ts";
import { createEnvelope, type Envelope } from "./envelope.ts";
import { openFirebaseHash } from "./firebase-hash.ts";
import { createHashQueue, type HashCaller, type HashQueue } from "./hash-queue.ts";
import { readImportedHash } from "./imported-hash.ts";
import { openHash } from "./sealed-hash.ts";
import { currentSubkey, type Subkeys } from "./subkeys.ts";

/** What is stored of a password. */
export interface PasswordHash {
  /** The hash with its parameters and salt, as a PHC string or as another system wrote it. */
  readonly phc: string;
  /** The version of the master key that peppered it; {@link UNPEPPERED} for imported ones. */
  readonly pepperVersion: number;
}

/** Stands for the pepper of a hash that another system has made. */
export const UNPEPPERED = 0;

/** Hashes passwords and checks them, each behind the hash queue. */
export interface PasswordHasher {
  /**
   * Says that a password of the Site is about to be checked; see {@link HashQueue}.
   *
   * @throws {Failure} `overloaded`
   */
  announce(siteId: SiteId): () => void;
  /** @throws {Failure} `overloaded` */
  hash(caller: HashCaller, password: Secret): Promise<PasswordHash>;
  /**
   * Says whether the password is right.
   *
   * For a User who does not exist or has no password (`undefined`) the answer is no, after the
   * same work, so that time does not tell who has an account.
   *
   * @throws {Failure} `overloaded`
   */
  verify(caller: HashCaller, password: Secret, stored: PasswordHash | undefined): Promise<boolean>;
  /** Says whether a right password should be hashed anew, as parameters or pepper have changed. */
  needsRehash(stored: PasswordHash): boolean;
  /** Says whether a hash that comes from elsewhere can be checked here, at a bounded cost. */
  canVerify(hash: PasswordHash): boolean;
}

/** OWASP's first choice: 19 MiB, two passes, one lane; about 25 ms of one core. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
const PEPPER_PURPOSE = "password-pepper";

/**
 * Creates the hasher: argon2id over a peppered password.
 *
 * The pepper is an HMAC under a sub-key, so that a stolen database alone is of no use for
 * guessing. It gives argon2 32 bytes, however long the password is.
 */
export async function createPasswordHasher(
  subkeys: Subkeys,
  queue: HashQueue,
): Promise<PasswordHasher> {
  const nobody = await hashNow(subkeys, secret(randomBytes(32).toString("base64url")));
  const keys = { subkeys, envelope: createEnvelope(subkeys) };
  // A hash that was made elsewhere may take seconds: half of the places are left to those of here,
  // or one Site's imported Users would keep everybody else from signing in.
  const foreignQueue = createHashQueue({ concurrency: Math.ceil(queue.concurrency / 2) });
  return {
    announce: queue.announce,

    hash: (caller, password) => queue.run(caller, () => hashNow(subkeys, password)),

    async verify(caller, password, stored) {
      const check = checkOf(keys, caller.siteId, stored ?? nobody, password);
      const run = () => queue.run(caller, check);
      const isForeign = stored !== undefined && !hasOwnParameters(stored);
      const matches = await (isForeign ? foreignQueue.run(caller, run) : run());
      return matches && stored !== undefined;
    },

    needsRehash: (stored) => stored.pepperVersion !== subkeys.current || !hasOwnParameters(stored),

    canVerify: ({ phc, pepperVersion }) =>
      pepperVersion === UNPEPPERED
        ? readImportedHash(phc) !== undefined
        : phc.startsWith("$argon2id$") &&
          readImportedHash(phc) !== undefined &&
          subkeys.derive(pepperVersion, PEPPER_PURPOSE, undefined) !== undefined,
  };
}

function hasOwnParameters({ phc, pepperVersion }: PasswordHash): boolean {
  if (pepperVersion === UNPEPPERED || !phc.startsWith("$argon2id$")) return false;
  return !argon2.needsRehash(phc, PARAMETERS);
}

async function hashNow(subkeys: Subkeys, password: Secret): Promise<PasswordHash> {
  const { version, key } = currentSubkey(subkeys, PEPPER_PURPOSE, undefined);
  const phc = await argon2.hash(pepper(key, password), { ...PARAMETERS, type: argon2.argon2id });
  return { phc, pepperVersion: version };
}

function checkOf(
  { subkeys, envelope }: { readonly subkeys: Subkeys; readonly envelope: Envelope },
  siteId: SiteId,
  { phc, pepperVersion }: PasswordHash,
  password: Secret,
): () => Promise<boolean> {
  if (pepperVersion !== UNPEPPERED) {
    const peppered = pepper(pepperKey(subkeys, pepperVersion), password);
    return () => argon2.verify(phc, peppered);
  }
  const opened = openHash(envelope, siteId, phc);
  const verify = readImportedHash(openFirebaseHash(envelope, siteId, opened));
  if (!verify) throw new Error("an imported hash is not one that is checked");
  return () => verify(password);
}

function pepper(key: Buffer, password: Secret): Buffer {
  return createHmac("sha256", key).update(password.reveal()).digest();
}

function pepperKey(subkeys: Subkeys, version: number): Buffer {
  const key = subkeys.derive(version, PEPPER_PURPOSE, undefined);
  if (!key) throw new Error(`password pepper: master key ${version} is not configured`);
  return key;
}
