import type { Caller } from "../model/caller.ts";
import type { SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { retryDeadMails } from "../store/mail-jobs.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";

/**
 * Puts mails of a Site back into the queue that nobody tries to send any more, and returns how
 * many; at most 1,000 at a time.
 *
 * @throws {Failure} `site_not_found`
 */
export async function retryMails(deps: Deps, caller: Caller, siteId: SiteId): Promise<number> {
  await deps.sites.get(siteId);
  return await deps.db.inSite(siteId, async (tx) => {
    const mails = await retryDeadMails(tx, siteId, LIMITS.retriedMailsMax);
    if (mails > 0) {
      const act = { kind: "site.mails_retried", subjectId: siteId, details: { mails } };
      await recordAct(tx, siteId, caller, act, deps.clock.now());
    }
    return mails;
  });
}
