import {
  createFirebaseWriter,
  type FirebaseParameters,
  readFirebaseHash,
  type WriteFirebaseHash,
} from "../crypto/firebase-hash.ts";
import { UNPEPPERED } from "../crypto/password-hash.ts";
import { openHash, sealHash } from "../crypto/sealed-hash.ts";
import type { Caller } from "../model/caller.ts";
import { Failure, invalidField } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import type { ForeignHash, ImportedPassword } from "../model/user-import.ts";
import { hasScope } from "./access.ts";
import type { Deps } from "./deps.ts";

export type { FirebaseParameters } from "../crypto/firebase-hash.ts";

const FIELD = "password_hash";
const ENCODED = /^\$(?:argon2(?:i|d|id)|2[aby]|scrypt|pbkdf2-sha(?:1|256|512))\$/;
const DIGESTS = ["sha1", "sha256", "sha512"];

/**
 * Makes of a hash what is stored of it; absent: there is none.
 *
 * @throws {Failure} `invalid_field`; `access_denied` where the caller may bring no hash.
 */
export type AdoptHash = (hash: ForeignHash | undefined) => ImportedPassword | undefined;

/**
 * Prepares to take hashes of other systems over to a Site, within bounds on what they may cost.
 *
 * @throws {Failure} `invalid_field` for parameters of Firebase that are out of bounds.
 */
export function createHashAdopter(
  { hasher, envelope }: Pick<Deps, "hasher" | "envelope">,
  caller: Caller,
  siteId: SiteId,
  firebase: FirebaseParameters | undefined,
): AdoptHash {
  if (firebase) checkFirebase(firebase);
  const writeFirebase = firebase && createFirebaseWriter(envelope, siteId, firebase);
  return (hash) => {
    if (!hash) return undefined;
    if (!hasScope(caller, "auth.tokens")) {
      throw new Failure("access_denied", { field: FIELD, problem: "needs the scope auth.tokens" });
    }
    const password = toStored(hash, writeFirebase);
    // Its costs were checked with the options, and its row does not say the key in clear.
    if (hash.scheme === "firebase_scrypt") return password;
    if (!hasher.canVerify(password)) {
      throw invalidField(
        FIELD,
        "is of no kind that can be checked, or would cost too much to check",
      );
    }
    const { phc, pepperVersion } = password;
    if (pepperVersion !== UNPEPPERED) return password;
    return { phc: sealHash(envelope, siteId, phc), pepperVersion };
  };
}

/** Tells of what is stored in which form it can be imported elsewhere. */
export function storedHashOf(
  { envelope }: Pick<Deps, "envelope">,
  siteId: SiteId,
  { phc: stored, pepperVersion }: ImportedPassword,
): Exclude<ForeignHash, { readonly scheme: "pbkdf2" }> {
  if (pepperVersion !== UNPEPPERED) return { scheme: "peppered", encoded: stored, pepperVersion };
  const phc = openHash(envelope, siteId, stored);
  const firebase = readFirebaseHash(phc);
  // Whoever exports has the signer key from Firebase, as whoever has imported had it.
  return firebase
    ? { scheme: "firebase_scrypt", ...firebase }
    : { scheme: "encoded", encoded: phc };
}

function toStored(
  given: ForeignHash,
  writeFirebase: WriteFirebaseHash | undefined,
): ImportedPassword {
  const field = `${FIELD}.${given.scheme}`;
  switch (given.scheme) {
    case "encoded":
      if (!ENCODED.test(given.encoded)) throw invalidField(field, "is of no known kind");
      return { phc: given.encoded, pepperVersion: UNPEPPERED };
    case "pbkdf2": {
      const { digest, iterations, salt, hash } = given;
      if (!DIGESTS.includes(digest)) {
        throw invalidField(`${field}.digest`, "must be sha1, sha256 or sha512");
      }
      checkLength(salt, `${field}.salt`, 1, 64);
      checkLength(hash, `${field}.hash`, 16, 64);
      const phc = `$pbkdf2-${digest}$i=${iterations}$${toBase64(salt)}$${toBase64(hash)}`;
      return { phc, pepperVersion: UNPEPPERED };
    }
    case "firebase_scrypt":
      if (!writeFirebase) throw invalidField(field, "needs the Firebase parameters in the options");
      checkLength(given.salt, `${field}.salt`, 1, 64);
      checkLength(given.hash, `${field}.hash`, 16, 128);
      return { phc: writeFirebase(given.salt, given.hash), pepperVersion: UNPEPPERED };
    case "peppered":
      if (given.pepperVersion < 1)
        throw invalidField(`${field}.pepper_version`, "must be 1 or more");
      return { phc: given.encoded, pepperVersion: given.pepperVersion };
  }
}

function checkFirebase({ signerKey, saltSeparator, rounds, memCost }: FirebaseParameters): void {
  const field = "options.firebase";
  checkLength(signerKey, `${field}.signer_key`, 1, 128);
  checkLength(saltSeparator, `${field}.salt_separator`, 0, 16);
  checkRange(rounds, `${field}.rounds`, 1, 8);
  checkRange(memCost, `${field}.mem_cost`, 1, 14);
}

function checkLength(bytes: Uint8Array, field: string, min: number, max: number): void {
  if (bytes.length >= min && bytes.length <= max) return;
  throw invalidField(field, `must have ${min} to ${max} bytes`);
}

function checkRange(value: number, field: string, min: number, max: number): void {
  if (value >= min && value <= max) return;
  throw invalidField(field, `must be from ${min} to ${max}`);
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
