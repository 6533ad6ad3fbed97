import {
  createCipheriv,
  pbkdf2 as pbkdf2WithCallback,
  scrypt as scryptWithCallback,
} from "node:crypto";
import { promisify } from "node:util";
import * as argon2 from "argon2";
import * as bcrypt from "bcrypt";
import type { Secret } from "../model/secret.ts";
import { sameBytes } from "../model/secret.ts";

const pbkdf2 = promisify(pbkdf2WithCallback);

/** Says whether a password is the one of a hash. It runs off the event loop. */
export type VerifyImported = (password: Secret) => Promise<boolean>;

/** Bounds on what a hash of another system may cost; memory in KiB. */
const COST = {
  lengthMax: 512,
  argon2Memory: 262_144,
  argon2Passes: 10,
  argon2Lanes: 16,
  argon2Work: 1_048_576, // Memory times passes: about two seconds of one core.
  bcryptRounds: 14,
  scryptMemory: 262_144,
  scryptLanes: 4,
  pbkdf2Iterations: 2_000_000,
} as const;

/**
 * Reads a hash that another system has made, without the pepper of this one: argon2 and scrypt
 * as PHC strings, bcrypt, PBKDF2 (PHC or passlib), and Firebase's scrypt as
 * `$firebase-scrypt$n=14,r=8$<signer key>$<separator>$<salt>$<hash>`.
 *
 * Returns undefined for what is none of these, or would cost too much to check: a hostile hash
 * must not take gigabytes or minutes.
 */
export function readImportedHash(encoded: string): VerifyImported | undefined {
  if (encoded.length > COST.lengthMax) return undefined;
  const [empty, scheme = "", ...parts] = encoded.split("$");
  if (empty !== "") return undefined;
  switch (scheme) {
    case "argon2i":
    case "argon2d":
    case "argon2id":
      return readArgon2(encoded);
    case "2a":
    case "2b":
    case "2y":
      return readBcrypt(encoded);
    case "scrypt":
      return readScrypt(parts);
    case "pbkdf2-sha1":
    case "pbkdf2-sha256":
    case "pbkdf2-sha512":
      return readPbkdf2(scheme.slice("pbkdf2-".length), parts);
    case "firebase-scrypt":
      return readFirebase(parts);
    default:
      return undefined;
  }
}

const ARGON2 = /^\$argon2(?:i|d|id)\$v=(?:16|19)\$((?:[mtp]=\d{1,7},?){3})\$([\w+/]+)\$([\w+/]+)$/;
/** In characters of base64: 8 to 64 bytes of salt, 16 to 128 of the hash. */
const ARGON2_LENGTHS = { saltMin: 11, saltMax: 88, hashMin: 22, hashMax: 172 };

function readArgon2(encoded: string): VerifyImported | undefined {
  const [, given = "", salt = "", hash = ""] = ARGON2.exec(encoded) ?? [];
  const { saltMin, saltMax, hashMin, hashMax } = ARGON2_LENGTHS;
  if (salt.length < saltMin || salt.length > saltMax) return undefined;
  if (hash.length < hashMin || hash.length > hashMax) return undefined;
  const costs = new Map(
    given.split(",").map((cost) => {
      const [name = "", value = ""] = cost.split("=");
      return [name, Number(value)] as const;
    }),
  ); // Libraries disagree on the order.
  const [memory, passes, lanes] = [costs.get("m"), costs.get("t"), costs.get("p")];
  if (!memory || !passes || !lanes) return undefined;
  const isCheap =
    memory <= COST.argon2Memory &&
    passes <= COST.argon2Passes &&
    lanes <= COST.argon2Lanes &&
    memory * passes <= COST.argon2Work;
  if (!isCheap) return undefined;
  return async (password) => await argon2.verify(encoded, password.reveal()).catch(() => false);
}

const BCRYPT = /^\$2[aby]\$(\d{2})\$[./A-Za-z0-9]{53}$/;

function readBcrypt(encoded: string): VerifyImported | undefined {
  const rounds = Number(BCRYPT.exec(encoded)?.[1]);
  if (!(rounds >= 4 && rounds <= COST.bcryptRounds)) return undefined;
  const hash = encoded.replace("$2y$", "$2b$"); // The same algorithm under PHP's name.
  return async (password) => await bcrypt.compare(password.reveal(), hash);
}

function readScrypt([costs = "", salt = "", hash = ""]: string[]): VerifyImported | undefined {
  const [, ln, r, p] = (/^ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})$/.exec(costs) ?? []).map(Number);
  if (!ln || !r || !p || p > COST.scryptLanes) return undefined;
  const key = { salt: fromBase64(salt), hash: fromBase64(hash) };
  const derive = scryptOf(2 ** ln, r, p);
  if (!derive || !isKey(key)) return undefined;
  return async (password) =>
    sameBytes(await derive(password.reveal(), key.salt, key.hash.length), key.hash);
}

function readPbkdf2(digest: string, parts: string[]): VerifyImported | undefined {
  const [costs = "", salt = "", hash = ""] = parts;
  const iterations = Number(/^(?:i=)?(\d{1,7})$/.exec(costs)?.[1]);
  const key = { salt: fromBase64(salt), hash: fromBase64(hash) };
  if (!(iterations >= 1 && iterations <= COST.pbkdf2Iterations) || !isKey(key)) return undefined;
  return async (password) =>
    sameBytes(
      await pbkdf2(password.reveal(), key.salt, iterations, key.hash.length, digest),
      key.hash,
    );
}

const FIREBASE_KEY_BYTES = 32;

/** Firebase encrypts its signer key under what scrypt makes of the password. */
function readFirebase(parts: string[]): VerifyImported | undefined {
  const [costs = "", signer = "", separator = "", salt = "", hash = ""] = parts;
  const [, n, r] = (/^n=(\d{1,2}),r=(\d{1,2})$/.exec(costs) ?? []).map(Number);
  const derive = n && r ? scryptOf(2 ** n, r, 1) : undefined;
  const key = { salt: fromBase64(salt), hash: fromBase64(hash) };
  if (!derive || !isKey(key)) return undefined;
  const salted = Buffer.concat([key.salt, fromBase64(separator)]);
  return async (password) => {
    const derived = await derive(password.reveal(), salted, FIREBASE_KEY_BYTES);
    const cipher = createCipheriv("aes-256-ctr", derived, Buffer.alloc(16));
    return sameBytes(cipher.update(fromBase64(signer)), key.hash);
  };
}

type Derive = (password: string, salt: Buffer, bytes: number) => Promise<Buffer>;

function scryptOf(N: number, r: number, p: number): Derive | undefined {
  const memory = 128 * N * r;
  if (N < 2 || memory > COST.scryptMemory * 1_024) return undefined;
  const options = { N, r, p, maxmem: 2 * memory + 1_048_576 };
  return (password, salt, bytes) =>
    new Promise((resolve, reject) => {
      scryptWithCallback(password, salt, bytes, options, (error, derived) => {
        if (error) reject(error);
        else resolve(derived);
      });
    });
}

/** Reads base64 of every dialect, padded or not; passlib writes a dot for a plus. */
function fromBase64(text: string): Buffer {
  return Buffer.from(text.replaceAll(".", "+"), "base64");
}

function isKey({ salt, hash }: { readonly salt: Buffer; readonly hash: Buffer }): boolean {
  return salt.length >= 1 && salt.length <= 64 && hash.length >= 16 && hash.length <= 128;
}
