import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import { revokeApiKeys } from "../store/api-keys.ts";
import { insertRevocation } from "../store/revocations.ts";
import { deleteSigningKeys } from "../store/signing-keys.ts";
import {
  addErasureJob,
  type ClosableSite,
  closeSite,
  lockClosableSite,
} from "../store/site-deletion.ts";
import { deleteDomains } from "../store/sites.ts";
import type { Queryable } from "../store/sql.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { REVOCATION_MS } from "./revocation-lifetime.ts";
import { currentHead } from "./sync.ts";
import { write } from "./write.ts";

/**
 * Closes a Site: its keys and tokens are refused, its streams end, its domains are free. A worker
 * deletes its Users then. Returns how many there are still; a repeat answers so as long as there
 * are some.
 *
 * @throws {Failure} `site_not_found`, `deletion_protected`.
 */
export async function deleteSite(deps: Deps, caller: Caller, siteId: SiteId): Promise<number> {
  await write(deps, siteId, async (tx) => {
    const site = await lockClosableSite(tx, siteId);
    if (!site || site.eraseTime) throw new Failure("site_not_found");
    if (!site.deleteTime) await close(tx, siteId, caller, site, deps.clock.now());
  });
  return (await currentHead(deps, siteId)).sums.users;
}

async function close(
  tx: Queryable,
  siteId: SiteId,
  caller: Caller,
  { deletionProtected }: ClosableSite,
  now: Date,
): Promise<void> {
  if (deletionProtected) throw new Failure("deletion_protected");
  await closeSite(tx, siteId, now);
  await deleteDomains(tx, siteId);
  await deleteSigningKeys(tx, siteId);
  await revokeApiKeys(tx, siteId, now);
  const expireTime = new Date(now.getTime() + REVOCATION_MS);
  await insertRevocation(tx, siteId, { kind: "site_closed", subjectId: siteId, expireTime }, now);
  await recordAct(tx, siteId, caller, { kind: "site.deleted", subjectId: siteId }, now);
  await addErasureJob(tx);
}
