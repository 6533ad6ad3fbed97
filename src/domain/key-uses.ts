import type { Logger } from "pino";
import { type ApiKeyId, NO_SITE, type SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { type KeyUse, noteKeyUses } from "../store/api-keys.ts";
import type { Database } from "../store/database.ts";
import { noteOperatorKeyUses } from "../store/operator-keys.ts";

/** Writes down when keys were last used, off the road of the calls that use them. */
export interface KeyUses {
  /** Notes the use of a key, which is written down a little later; `NO_SITE`: an operator's. */
  note(siteId: SiteId, keyId: ApiKeyId): void;
  /** Writes down what is noted. Never throws: a use that is lost is noted with the next. */
  flush(): Promise<void>;
}

/** Creates the notes: at most one statement a second writes the uses of all keys. */
export function createKeyUses(db: Pick<Database, "acrossSites">, log: Logger): KeyUses {
  const across = { query: db.acrossSites };
  let noted = new Map<string, KeyUse>();
  let timer: NodeJS.Timeout | undefined;

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const uses = [...noted.values()];
    noted = new Map();
    const ofOperators = uses.filter(({ siteId }) => siteId === NO_SITE);
    const ofSites = uses.filter(({ siteId }) => siteId !== NO_SITE);
    const now = new Date();
    try {
      if (ofSites.length > 0) await noteKeyUses(across, ofSites, now);
      const ids = ofOperators.map(({ keyId }) => keyId);
      if (ids.length > 0) await noteOperatorKeyUses(across, ids, now);
    } catch (err) {
      log.debug({ err }, "uses of keys are not written down");
    }
  }

  return {
    note(siteId, keyId) {
      if (noted.size < LIMITS.keyUsesMax) noted.set(`${siteId}/${keyId}`, { siteId, keyId });
      timer ??= setTimeout(() => void flush(), LIMITS.keyUseDelayMs).unref();
    },
    flush,
  };
}
