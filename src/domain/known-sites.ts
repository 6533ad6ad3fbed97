import type { ReadToken } from "../crypto/access-token.ts";
import type { Envelope } from "../crypto/envelope.ts";
import { createTokenReader } from "../crypto/seen-tokens.ts";
import {
  importSigningKey,
  importVerificationKey,
  type PublicJwk,
  type SigningKey,
  toPublicJwk,
  type VerificationKey,
} from "../crypto/signing-key.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import type { Site } from "../model/site.ts";
import type { LogRow } from "../store/changes.ts";
import type { Database } from "../store/database.ts";
import { listSigningKeys, type StoredSigningKey } from "../store/signing-keys.ts";
import { findSite } from "../store/sites.ts";
import { signingKeyScope } from "./signing-keys.ts";

/** A Site with the keys that sign and check its access tokens, ready for use. */
export interface KnownSite {
  readonly site: Site;
  /** Signs new tokens. */
  readonly signingKey: SigningKey;
  /** Finds a key that the Site publishes, by its id. */
  findKey(kid: string): VerificationKey | undefined;
  /** Reads tokens, and remembers those of any Site that it has read with the same keys. */
  readonly readToken: ReadToken;
  /** What the Site's JWKS lists. */
  readonly publicJwks: readonly PublicJwk[];
}

/** The settings and keys of Sites, kept in memory as long as the log says nothing new. */
export interface KnownSites {
  /** @throws {Failure} `site_not_found` */
  get(siteId: SiteId): Promise<KnownSite>;
  /** Forgets the Sites that the log says have changed, or all after a gap. */
  apply(rows: readonly LogRow[], epochChanged: boolean): void;
}

/** At about 18 KB. Room to spare over 10,000: what is read in a circle would just be gone. */
const SITES_MAX = 12_000;
/**
 * A net under the log: nothing is kept longer, whatever happens to the reader. 10,000 Sites in use
 * cost about 35 reads a second so.
 */
const KEEP_MS = 5 * 60_000;
const KEEP_STALE_MS = 500;

interface Entry {
  readonly loadedMs: number;
  readonly site: Promise<KnownSite>;
}

/** Creates the memory of Sites. While the reader lags, entries live half a second only. */
export function createKnownSites(options: {
  readonly db: Database;
  readonly envelope: Envelope;
  readonly isFresh: () => boolean;
}): KnownSites {
  const { db, envelope, isFresh } = options;
  const readToken = createTokenReader();
  const entries = new Map<SiteId, Entry>();

  function load(siteId: SiteId): Promise<KnownSite> {
    const site = loadSite(db, envelope, siteId, readToken);
    const entry = { loadedMs: performance.now(), site };
    entries.delete(siteId);
    entries.set(siteId, entry);
    const [oldest] = entries.keys();
    if (entries.size > SITES_MAX && oldest) entries.delete(oldest);
    site.catch(() => {
      if (entries.get(siteId) === entry) entries.delete(siteId);
    });
    return site;
  }

  return {
    async get(siteId) {
      const entry = entries.get(siteId);
      const keepMs = isFresh() ? KEEP_MS : KEEP_STALE_MS;
      if (entry && performance.now() - entry.loadedMs < keepMs) return await entry.site;
      return await load(siteId);
    },
    apply(rows, epochChanged) {
      if (epochChanged) entries.clear();
      for (const row of rows) if (row.type === "notice") forget(row);
    },
  };

  function forget({ siteId, notice }: Extract<LogRow, { readonly type: "notice" }>): void {
    switch (notice.kind) {
      case "site_changed":
      case "site_closed":
      case "signing_keys_changed":
      case "signing_key_withdrawn":
        entries.delete(siteId);
        return;
      case "session_ended":
      case "generation_raised":
      case "api_key_revoked":
        return;
    }
  }
}

async function loadSite(
  db: Database,
  envelope: Envelope,
  siteId: SiteId,
  readToken: ReadToken,
): Promise<KnownSite> {
  // In one snapshot: the keys of a Site go with it.
  const { site, stored } = await db.validation.inSite(
    siteId,
    async (tx) => ({
      site: await findSite(tx, siteId),
      stored: await listSigningKeys(tx, siteId),
    }),
    { isolation: "repeatable read", readOnly: true },
  );
  const current = stored.find((key) => key.state === "current");
  if (!site) throw new Failure("site_not_found");
  if (!current) throw new Error(`Site ${siteId} has no current signing key`);
  const keys = new Map(stored.map((key) => [key.id as string, toVerificationKey(key)]));
  return {
    site,
    signingKey: openSigningKey(envelope, siteId, current),
    findKey: (kid) => keys.get(kid),
    readToken,
    publicJwks: [...keys.values()].map(toPublicJwk),
  };
}

function toVerificationKey({ id, algorithm, publicJwk }: StoredSigningKey): VerificationKey {
  return importVerificationKey(id, algorithm, publicJwk);
}

function openSigningKey(envelope: Envelope, siteId: SiteId, key: StoredSigningKey): SigningKey {
  const pkcs8 = envelope.open(signingKeyScope(siteId, key.id), key.privateSealed);
  return importSigningKey(key.id, key.algorithm, pkcs8);
}
