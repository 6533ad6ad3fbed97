import type { Caller } from "../model/caller.ts";
import type { SiteHead } from "../model/change.ts";
import { Failure, invalidField } from "../model/failure.ts";
import type { MirrorId, SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import type { Mirror, MirrorReport } from "../model/mirror.ts";
import { findSiteHead } from "../store/changes.ts";
import {
  countOtherMirrors,
  deleteMirror as deleteStoredMirror,
  findMirror,
  listMirrors as listStoredMirrors,
  lockMirror,
  upsertMirror,
} from "../store/mirrors.ts";
import type { Queryable } from "../store/sql.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";

/** How far the clock of a Mirror may be ahead. */
const CLOCK_MS_MAX = 5 * 60_000;

/** What the rules about Mirrors work with. */
export type MirrorDeps = Pick<Deps, "db" | "clock" | "sites">;

/**
 * Takes in what a Mirror tells of itself, in the place of what it told before. The first report
 * registers it.
 *
 * @throws {Failure} `site_not_found`; `invalid_field` for what lies ahead of the Site;
 *   `limit_reached` where a new Mirror finds 100 others.
 */
export async function reportMirror(
  { db, clock, sites }: MirrorDeps,
  caller: Caller,
  siteId: SiteId,
  report: MirrorReport,
): Promise<Mirror> {
  await sites.get(siteId);
  const apiKeyId = caller.kind === "site_key" ? caller.keyId : undefined;
  return await db.inSite(siteId, async (tx) => {
    const reportTime = clock.now();
    const head = await findSiteHead(tx, siteId);
    requireNothingAhead(report, head, reportTime);
    if (!(await lockMirror(tx, siteId, report.id))) {
      await requireRoom(tx, siteId, report.id);
      const act = { kind: "mirror.registered", subjectId: report.id };
      await recordAct(tx, siteId, caller, act, reportTime);
    }
    await upsertMirror(tx, siteId, { ...report, apiKeyId, reportTime, reportHead: head.position });
    const mirror = await findMirror(tx, siteId, report.id);
    if (!mirror) throw new Error("a Mirror that was just written is not there");
    return mirror;
  });
}

/** Lists at most `limit` Mirrors of the Site in id order. @throws {Failure} `site_not_found` */
export async function listMirrors(
  { db, sites }: MirrorDeps,
  siteId: SiteId,
  page: { readonly after: MirrorId | undefined; readonly limit: number },
): Promise<Mirror[]> {
  await sites.get(siteId);
  return await db.inSite(siteId, (tx) => listStoredMirrors(tx, siteId, page), { readOnly: true });
}

/** Forgets a Mirror. @throws {Failure} `site_not_found`, `mirror_not_found` */
export async function deleteMirror(
  { db, clock, sites }: MirrorDeps,
  caller: Caller,
  siteId: SiteId,
  id: MirrorId,
): Promise<void> {
  await sites.get(siteId);
  await db.inSite(siteId, async (tx) => {
    if (!(await deleteStoredMirror(tx, siteId, id))) throw new Failure("mirror_not_found");
    await recordAct(tx, siteId, caller, { kind: "mirror.deleted", subjectId: id }, clock.now());
  });
}

/**
 * What is ahead of the Site was never sent by it: the Mirror follows another Site, or Signet was
 * restored from a backup, and its health could not be told. The head that is read here holds all
 * that any process has sent.
 */
function requireNothingAhead(report: MirrorReport, head: SiteHead, now: Date): void {
  const { epoch, position, lastReconcile } = report;
  if (epoch > head.epoch) throw invalidField("epoch", "must not be ahead of the Site's");
  if (epoch === head.epoch && position > head.position) {
    throw invalidField("position", "must not be ahead of the Site's head");
  }
  if (lastReconcile && lastReconcile.finishTime.getTime() > now.getTime() + CLOCK_MS_MAX) {
    throw invalidField("last_reconcile.finish_time", "must not lie in the future");
  }
}

/** Holds off other new Mirrors of the Site, whatever process they report to. */
async function requireRoom(tx: Queryable, siteId: SiteId, id: MirrorId): Promise<void> {
  const others = await countOtherMirrors(tx, siteId, id);
  if (others >= LIMITS.mirrorsMax) {
    throw new Failure("limit_reached", { limit: String(LIMITS.mirrorsMax) });
  }
}
