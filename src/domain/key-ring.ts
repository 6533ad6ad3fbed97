import type { PresentedSecret } from "../crypto/site-secret.ts";
import type { ApiKey, OperatorKey } from "../model/api-key.ts";
import type { OperatorCaller, SiteKeyCaller } from "../model/caller.ts";
import { NO_SITE } from "../model/id.ts";
import { findApiKeyByHash } from "../store/api-keys.ts";
import type { Database } from "../store/database.ts";
import { findOperatorKeyByHash } from "../store/operator-keys.ts";
import type { KeyUses } from "./key-uses.ts";

/** The keys that this process has seen. Revocation and expiry are the caller's check. */
export interface KeyRing {
  /**
   * Returns who holds a site key, at once if it has been seen; undefined if it is unknown or was
   * revoked when it was read.
   */
  find(presented: PresentedSecret): Found<SiteKeyCaller>;
  /** Returns who holds an operator key, by its hash, other than the environment's. */
  findOperator(hash: Buffer): Found<OperatorCaller>;
}

/** Whom a key belongs to; a promise where the database has to be asked. */
type Found<Holder> = Holder | undefined | Promise<Holder | undefined>;

const KEYS_MAX = 20_000;
/** A net under the log: a key is read anew at least so often. */
const KEEP_MS = 5 * 60_000;
/** The last use is told to the minute. */
const NOTE_USE_MS = 60_000;

interface Entry<Holder> {
  readonly readMs: number;
  readonly holder: Holder;
  usedMs: number;
}

/** Creates the memory of keys. While the reader lags, nothing is believed without a look. */
export function createKeyRing(options: {
  readonly db: Pick<Database, "validation">;
  readonly isFresh: () => boolean;
  readonly uses: KeyUses;
}): KeyRing {
  const { db, isFresh, uses } = options;
  const siteKeys = createMemory<PresentedSecret, SiteKeyCaller>(isFresh, async (presented) => {
    const { siteId, hash } = presented;
    const key = await db.validation.inSite(siteId, (tx) => findApiKeyByHash(tx, siteId, hash), {
      readOnly: true,
    });
    return key && !key.revokeTime ? toSiteKeyCaller(key) : undefined;
  });
  const operatorKeys = createMemory<{ hash: Buffer }, OperatorCaller>(isFresh, async ({ hash }) => {
    const key = await findOperatorKeyByHash({ query: db.validation.acrossSites }, hash);
    return key && !key.revokeTime ? toOperatorCaller(key) : undefined;
  });

  return {
    find: (presented) =>
      siteKeys(presented, ({ siteId, keyId }: SiteKeyCaller) => uses.note(siteId, keyId)),
    findOperator: (hash) =>
      operatorKeys({ hash }, ({ keyId }) => {
        if (keyId) uses.note(NO_SITE, keyId);
      }),
  };
}

/** Creates a memory of those who were found by the hash of a key. */
function createMemory<Presented extends { readonly hash: Buffer }, Holder>(
  isFresh: () => boolean,
  read: (presented: Presented) => Promise<Holder | undefined>,
) {
  const entries = new Map<string, Entry<Holder>>();

  function remember(name: string, entry: Entry<Holder>): void {
    entries.delete(name);
    entries.set(name, entry);
    const [oldest] = entries.keys();
    if (entries.size > KEYS_MAX && oldest !== undefined) entries.delete(oldest);
  }

  async function readAnew(presented: Presented, name: string, nowMs: number) {
    const usedMs = entries.get(name)?.usedMs ?? Number.NEGATIVE_INFINITY;
    const holder = await read(presented);
    if (holder === undefined) {
      entries.delete(name);
      return undefined;
    }
    const entry: Entry<Holder> = { readMs: nowMs, holder, usedMs };
    remember(name, entry);
    return entry;
  }

  return (presented: Presented, noteUse: (holder: Holder) => void): Found<Holder> => {
    const nowMs = performance.now();
    function use(entry: Entry<Holder>): Holder {
      if (nowMs - entry.usedMs >= NOTE_USE_MS) {
        entry.usedMs = nowMs;
        noteUse(entry.holder);
      }
      return entry.holder;
    }
    const name = presented.hash.toString("latin1");
    const known = entries.get(name);
    if (known && isFresh() && nowMs - known.readMs < KEEP_MS) return use(known);
    return readAnew(presented, name, nowMs).then((entry) => entry && use(entry));
  };
}

function toSiteKeyCaller(key: ApiKey): SiteKeyCaller {
  return {
    kind: "site_key",
    siteId: key.siteId,
    keyId: key.id,
    scopes: key.scopes,
    userFields: key.userFields,
    expireTime: key.expireTime,
  };
}

function toOperatorCaller({ id, expireTime }: OperatorKey): OperatorCaller {
  return { kind: "operator", keyId: id, expireTime };
}
