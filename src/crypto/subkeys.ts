import { hkdfSync } from "node:crypto";
import type { SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";

/** The versioned encryption keys of the environment. Old ones open what they sealed. */
export interface MasterKeys {
  /** The version that seals; one of `keys`. */
  readonly current: number;
  /** 32 bytes each, by version: a whole number from 1 to 2^32 - 1. */
  readonly keys: ReadonlyMap<number, Uint8Array>;
}

/** Keys derived from the master keys, one for each version, purpose and Site. */
export interface Subkeys {
  /** The version that seals. */
  readonly current: number;
  /** Returns the 32 bytes of a sub-key; undefined if there is no master key of that version. */
  derive(version: number, purpose: string, siteId: SiteId | undefined): Buffer | undefined;
}

const KEY_BYTES = 32;
const VERSION_MAX = 2 ** 32 - 1;

/**
 * Derives sub-keys with HKDF-SHA-256 (RFC 5869), some 5 µs each, and keeps the 1,024 used last.
 *
 * A sub-key opens nothing of another purpose or Site, even if it leaks.
 *
 * @throws {Error} for keys of another length than 32 bytes, or a current version without a key.
 */
export function createSubkeys(masterKeys: MasterKeys): Subkeys {
  checkMasterKeys(masterKeys);
  const cache = new Map<string, Buffer>();
  return {
    current: masterKeys.current,
    derive(version, purpose, siteId) {
      const info = JSON.stringify(["signet/v1", version, purpose, siteId ?? null]);
      const known = cache.get(info) ?? deriveKey(masterKeys.keys.get(version), info);
      if (known) rememberLast(cache, info, known);
      return known;
    },
  };
}

/** Returns the sub-key of the current version, with that version. */
export function currentSubkey(
  subkeys: Subkeys,
  purpose: string,
  siteId: SiteId | undefined,
): { readonly version: number; readonly key: Buffer } {
  const key = subkeys.derive(subkeys.current, purpose, siteId);
  if (!key) throw new Error(`no master key of version ${subkeys.current}`);
  return { version: subkeys.current, key };
}

function checkMasterKeys({ current, keys }: MasterKeys): void {
  if (!keys.has(current)) throw new Error(`no master key of the current version ${current}`);
  for (const [version, key] of keys) {
    if (!Number.isInteger(version) || version < 1 || version > VERSION_MAX) {
      throw new Error("a master key's version must be a whole number from 1 to 2^32 - 1");
    }
    if (key.length !== KEY_BYTES) throw new Error(`master key ${version} must have 32 bytes`);
  }
}

function deriveKey(masterKey: Uint8Array | undefined, info: string): Buffer | undefined {
  if (!masterKey) return undefined;
  return Buffer.from(hkdfSync("sha256", masterKey, Buffer.alloc(0), info, KEY_BYTES));
}

/** A Map keeps its entries in the order of insertion, so the first is the one used longest ago. */
function rememberLast(cache: Map<string, Buffer>, name: string, key: Buffer): void {
  cache.delete(name);
  cache.set(name, key);
  if (cache.size <= LIMITS.subkeysCachedMax) return;
  for (const oldest of cache.keys()) {
    cache.delete(oldest);
    return;
  }
}
