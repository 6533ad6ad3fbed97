import { createHmac } from "node:crypto";
import type { SiteId } from "../model/id.ts";
import { currentSubkey, type Subkeys } from "./subkeys.ts";

/**
 * Stands for a text that must not be stored, such as an address: whoever has the database alone
 * cannot find out by trying which one it was. 32 bytes.
 */
export type KeyedDigest = (siteId: SiteId | undefined, purpose: string, text: string) => Buffer;

/** Creates the digest: HMAC-SHA-256 under a sub-key. It changes with the master key. */
export function createKeyedDigest(subkeys: Subkeys): KeyedDigest {
  return (siteId, purpose, text) => {
    const { key } = currentSubkey(subkeys, `digest:${purpose}`, siteId);
    return createHmac("sha256", key).update(text).digest();
  };
}
