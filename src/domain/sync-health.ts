import type { SiteHead } from "../model/change.ts";
import type { SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import type { SyncHealth, UserCounts } from "../model/sync-health.ts";
import { findSiteHead } from "../store/changes.ts";
import { listMirrors } from "../store/mirrors.ts";
import { countIdleUsers, type IdleUserCounts, oldestWaitingChange } from "../store/sync-health.ts";
import { listWebhookFacts } from "../store/webhook-health.ts";
import type { MirrorDeps } from "./mirrors.ts";
import { judgeSync } from "./sync-verdict.ts";

/** The health of Sites, found out at most every two seconds for each, whoever asks. */
export interface SyncHealthBoard {
  /** At most 5 s old. @throws {Failure} `site_not_found` */
  get(siteId: SiteId): Promise<SyncHealth>;
}

/** Together with the time that a statement may take, this stays below 5 s. */
const KEEP_MS = 2_000;
const SITES_MAX = 1_000;
/** How long deliveries that were given up are told of. */
const DEAD_MS = 7 * 86_400_000;

interface Entry {
  readonly beginMs: number;
  readonly health: Promise<SyncHealth>;
}

/** Creates the board; those who ask at the same time share one look at the database. */
export function createSyncHealthBoard(deps: MirrorDeps): SyncHealthBoard {
  const entries = new Map<SiteId, Entry>();

  function examine(siteId: SiteId): Promise<SyncHealth> {
    const entry = { beginMs: performance.now(), health: examineSite(deps, siteId) };
    entries.delete(siteId);
    entries.set(siteId, entry);
    const [oldest] = entries.keys();
    if (entries.size > SITES_MAX && oldest) entries.delete(oldest);
    entry.health.catch(() => {
      if (entries.get(siteId) === entry) entries.delete(siteId);
    });
    return entry.health;
  }

  return {
    async get(siteId) {
      await deps.sites.get(siteId);
      const entry = entries.get(siteId);
      if (entry && performance.now() - entry.beginMs < KEEP_MS) return await entry.health;
      return await examine(siteId);
    },
  };
}

/** One snapshot for all, so that counts, head and lags are those of one instant. */
async function examineSite({ db, clock }: MirrorDeps, siteId: SiteId): Promise<SyncHealth> {
  const asOf = clock.now();
  const found = await db.inSite(
    siteId,
    async (tx) => ({
      waitingSince: await oldestWaitingChange(tx, siteId),
      head: await findSiteHead(tx, siteId),
      idle: await countIdleUsers(tx, siteId),
      mirrors: await listMirrors(tx, siteId, { after: undefined, limit: LIMITS.mirrorsMax }),
      webhooks: await listWebhookFacts(tx, siteId, new Date(asOf.getTime() - DEAD_MS)),
    }),
    { isolation: "repeatable read", readOnly: true },
  );
  const { head, idle, mirrors, webhooks, waitingSince = asOf } = found;
  const sequencingDelayMs = Math.max(0, asOf.getTime() - waitingSince.getTime());
  const judged = judgeSync({ head, mirrors, webhooks, sequencingDelayMs }, asOf);
  return { ...judged, asOf, head, users: countUsers(head, idle), sequencingDelayMs };
}

/** The sums tell of all who are not deleted, up to the head; a User may be on the way to it. */
function countUsers({ sums }: SiteHead, idle: IdleUserCounts): UserCounts {
  return { ...idle, active: Math.max(0, sums.users - idle.invited - idle.disabled) };
}
