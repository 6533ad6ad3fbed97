import type { SiteId } from "../model/id.ts";
import type { Envelope, SealScope } from "./envelope.ts";

const SEALED = "$sealed$";

/**
 * Encrypts a hash of another system for its row. No pepper went into it, so whoever had the
 * database alone could guess at its password as if Signet were not there.
 */
export function sealHash(envelope: Envelope, siteId: SiteId, hash: string): string {
  const sealed = envelope.seal(scopeOf(siteId), Buffer.from(hash));
  return `${SEALED}${sealed.toString("base64")}`;
}

/** Returns what {@link sealHash} has sealed; every other hash is returned as it is. */
export function openHash(envelope: Envelope, siteId: SiteId, stored: string): string {
  if (!stored.startsWith(SEALED)) return stored;
  const sealed = Buffer.from(stored.slice(SEALED.length), "base64");
  return envelope.open(scopeOf(siteId), sealed).toString();
}

function scopeOf(siteId: SiteId): SealScope {
  return { purpose: "imported_hash", siteId, context: [siteId] };
}
