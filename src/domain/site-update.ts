import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import type { Site, SiteSettings } from "../model/site.ts";
import { appendNotice } from "../store/changes.ts";
import type { StoredSigningKey } from "../store/signing-keys.ts";
import { lockSite, updateSite as updateStoredSite } from "../store/sites.ts";
import { requireAdminNow } from "./admins.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { replaceNextKey } from "./signing-key-rotation.ts";
import { makeSigningKey } from "./signing-keys.ts";
import { write } from "./write.ts";

/** What is asked for: settings that are present are changed. */
export interface SiteChange {
  readonly changes: Partial<SiteSettings>;
  readonly expectedVersion: number | undefined;
}

/** What reaches beyond the Site. */
const OF_OPERATORS: readonly (keyof SiteSettings)[] = [
  "domains",
  "mailSenderAddress",
  "mailSenderName",
  "deletionProtected",
];

/**
 * Changes settings of a Site; every process follows within a second. What changes nothing writes
 * nothing.
 *
 * @throws {Failure} `site_not_found`, `version_mismatch`, `domain_taken`, `access_denied`;
 *   `credential_invalid` for an admin who is none any more.
 */
export async function updateSite(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  { changes, expectedVersion }: SiteChange,
): Promise<Site> {
  checkReach(caller, changes);
  const made = await keyInAdvance(deps, siteId, changes);
  return await write(deps, siteId, async (tx) => {
    const before = await lockSite(tx, siteId);
    if (!before) throw new Failure("site_not_found");
    await requireAdminNow(tx, siteId, caller);
    if (expectedVersion !== undefined && expectedVersion !== before.version) {
      throw new Failure("version_mismatch", { version: String(before.version) });
    }
    const fields = changedSettings(before, changes);
    if (fields.length === 0) return before;
    const now = deps.clock.now();
    const after = { ...before, ...changes, version: before.version + 1, updateTime: now };
    await updateStoredSite(tx, after);
    if (fields.includes("signingAlgorithm")) await replaceNextKey(deps, tx, after, made, now);
    await appendNotice(tx, siteId, { kind: "site_changed", subjectId: siteId }, now);
    const details = { fields: fields.map(toSnakeCase) };
    await recordAct(tx, siteId, caller, { kind: "site.updated", subjectId: siteId, details }, now);
    return after;
  });
}

function checkReach(caller: Caller, changes: Partial<SiteSettings>): void {
  if (caller.kind === "operator") return;
  if (OF_OPERATORS.some((name) => changes[name] !== undefined)) throw new Failure("access_denied");
}

/** A key is made before the transaction, where one will be wanted: RS256 takes a moment. */
async function keyInAdvance(
  deps: Deps,
  siteId: SiteId,
  { signingAlgorithm }: Partial<SiteSettings>,
): Promise<StoredSigningKey | undefined> {
  if (signingAlgorithm === undefined) return undefined;
  const { site } = await deps.sites.get(siteId);
  if (site.signingAlgorithm === signingAlgorithm) return undefined;
  return await makeSigningKey(deps.envelope, siteId, signingAlgorithm, "next", deps.clock.now());
}

function changedSettings(before: Site, changes: Partial<SiteSettings>): (keyof SiteSettings)[] {
  const names = Object.keys(changes) as (keyof SiteSettings)[]; // Parsed: settings and no more.
  return names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(changes[name]));
}

function toSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
