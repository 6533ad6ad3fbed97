import type { PresentedSecret } from "../crypto/site-secret.ts";
import type { ApiKey } from "../model/api-key.ts";
import type { SiteKeyCaller } from "../model/caller.ts";
import { findApiKeyByHash, touchApiKey } from "../store/api-keys.ts";
import type { Database } from "../store/database.ts";

/** The site keys that this process has seen. Revocation and expiry are the caller's check. */
export interface KeyRing {
  /** Returns who holds the key; undefined if it is unknown or was revoked when it was read. */
  find(presented: PresentedSecret): Promise<SiteKeyCaller | undefined>;
}

const KEYS_MAX = 10_000;
/** A net under the log: a key is read anew at least so often. Its last use is noted then. */
const KEEP_MS = 60_000;

interface Entry {
  readonly readMs: number;
  readonly caller: SiteKeyCaller;
}

/** Creates the memory of keys. While the reader lags, nothing is believed without a look. */
export function createKeyRing(db: Database, isFresh: () => boolean): KeyRing {
  const entries = new Map<string, Entry>();

  async function read({ siteId, hash }: PresentedSecret): Promise<SiteKeyCaller | undefined> {
    const key = await db.validation.inSite(siteId, async (tx) => {
      const found = await findApiKeyByHash(tx, siteId, hash);
      if (found && !found.revokeTime) await touchApiKey(tx, siteId, found.id, new Date());
      return found;
    });
    return key && !key.revokeTime ? toCaller(key) : undefined;
  }

  function remember(name: string, caller: SiteKeyCaller, readMs: number): void {
    entries.delete(name);
    entries.set(name, { readMs, caller });
    const [oldest] = entries.keys();
    if (entries.size > KEYS_MAX && oldest !== undefined) entries.delete(oldest);
  }

  return {
    async find(presented) {
      const name = presented.hash.toString("base64");
      const known = entries.get(name);
      const nowMs = performance.now();
      if (known && isFresh() && nowMs - known.readMs < KEEP_MS) return known.caller;
      const caller = await read(presented);
      if (caller) remember(name, caller, nowMs);
      else entries.delete(name);
      return caller;
    },
  };
}

function toCaller(key: ApiKey): SiteKeyCaller {
  return {
    kind: "site_key",
    siteId: key.siteId,
    keyId: key.id,
    scopes: key.scopes,
    userFields: key.userFields,
    expireTime: key.expireTime,
  };
}
