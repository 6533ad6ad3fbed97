import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { SigningKeyId, SiteId } from "../model/id.ts";
import type { SigningKeyFacts } from "../model/signing-key.ts";
import type { Site } from "../model/site.ts";
import { appendNotice } from "../store/changes.ts";
import { insertRevocation } from "../store/revocations.ts";
import {
  activateSigningKey,
  deleteRetiredKeys,
  deleteSigningKey,
  insertSigningKey,
  listSigningKeys,
  listSitesWithDueKeys,
  lockSigningKeys,
  retireSigningKey,
  type StoredSigningKey,
  scheduleSigningKey,
  withdrawSigningKey,
} from "../store/signing-keys.ts";
import { lockSite } from "../store/sites.ts";
import type { Queryable } from "../store/sql.ts";
import { type Actor, recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { requireRecentAdmin } from "./key-grants.ts";
import { REVOCATION_MS } from "./revocation-lifetime.ts";
import { makeSigningKey } from "./signing-keys.ts";
import { write } from "./write.ts";

/**
 * How long a key is published before it signs: copies of the JWKS are a minute old at most, and
 * whoever keeps one longer has some time more.
 */
const PUBLISH_MS = 5 * 60_000;

const SITES_PER_RUN = 1_000;

/** What is asked for. */
export interface Rotation {
  /** The key that is to be replaced; absent: whichever signs. */
  readonly currentKeyId: SigningKeyId | undefined;
  /** Whether the other keys are withdrawn at once, for one that has leaked. */
  readonly withdraw: boolean;
}

/** The Site's keys afterwards, and when the switch takes place, where it has not. */
export interface Rotated {
  readonly keys: readonly SigningKeyFacts[];
  readonly scheduledTime: Date | undefined;
}

/**
 * Makes the next signing key of a Site the current one, and a new one the next. Where the next
 * key has not been published long enough the switch waits until it has.
 *
 * @throws {Failure} `site_not_found`; `recent_login_required` for an admin.
 */
export async function rotateSigningKey(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  { currentKeyId, withdraw }: Rotation,
): Promise<Rotated> {
  const made = await newNextKey(deps, siteId);
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const site = await lockSite(tx, siteId);
    if (!site) throw new Failure("site_not_found");
    await requireRecentAdmin(tx, site, caller, now);
    const fresh = await ofAlgorithm(deps, site, made);
    const keys = await lockKeys(tx, siteId);
    if (currentKeyId && keys.current.id !== currentKeyId) return await keysNow(tx, siteId);
    const readyTime = new Date(keys.next.createTime.getTime() + PUBLISH_MS);
    if (!withdraw && readyTime > now) {
      await scheduleSigningKey(tx, siteId, keys.next.id, readyTime);
      await recordAct(tx, siteId, caller, { kind: "signing_key.rotation_scheduled" }, now);
      return await keysNow(tx, siteId);
    }
    if (withdraw) await withdrawAll(tx, siteId, [keys.current, ...keys.previous], now);
    else await retireSigningKey(tx, siteId, keys.current.id, endOf(now));
    await takeOver(tx, siteId, caller, keys.next, fresh, now);
    return await keysNow(tx, siteId);
  });
}

/**
 * Does what is due with the keys of all Sites: switches that were asked for, keys that have
 * signed for longer than `maxAgeMs`, keys that no token needs any more. Returns how many Sites
 * there were; there may be more.
 */
export async function keepSigningKeys(deps: Deps, maxAgeMs: number): Promise<number> {
  const activatedBefore = new Date(deps.clock.now().getTime() - maxAgeMs);
  const across: Queryable = { query: (statement) => deps.db.acrossSites(statement) };
  const due = await listSitesWithDueKeys(across, { activatedBefore, limit: SITES_PER_RUN });
  for (const siteId of due) await keepKeysOf(deps, siteId, activatedBefore);
  return due.length;
}

async function keepKeysOf(deps: Deps, siteId: SiteId, activatedBefore: Date): Promise<void> {
  const made = await newNextKey(deps, siteId);
  await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const site = await lockSite(tx, siteId);
    if (!site) return; // Deleted just now, and its keys with it.
    const fresh = await ofAlgorithm(deps, site, made);
    const { current, next } = await lockKeys(tx, siteId);
    const retired = await deleteRetiredKeys(tx, siteId, now);
    if (retired > 0) await tellProcesses(tx, siteId, now);
    const isAsked = next.switchTime !== undefined && next.switchTime <= now;
    const isOld = current.activateTime !== undefined && current.activateTime < activatedBefore;
    const isPublished = next.createTime.getTime() + PUBLISH_MS <= now.getTime();
    if (!isAsked && !(isOld && isPublished)) return;
    await retireSigningKey(tx, siteId, current.id, endOf(now));
    await takeOver(tx, siteId, { kind: "system" }, next, fresh, now);
  });
}

/**
 * Has another algorithm sign the tokens of a Site that the transaction has locked: a key of it
 * takes the place of the next one, and takes over once it is published for long enough.
 */
export async function replaceNextKey(
  deps: Deps,
  tx: Queryable,
  site: Site,
  made: StoredSigningKey | undefined,
  now: Date,
): Promise<void> {
  const fresh = await ofAlgorithm(deps, site, made);
  const { next } = await lockKeys(tx, site.id);
  await deleteSigningKey(tx, site.id, next.id);
  await insertSigningKey(tx, site.id, fresh);
  const switchTime = new Date(fresh.createTime.getTime() + PUBLISH_MS);
  await scheduleSigningKey(tx, site.id, fresh.id, switchTime);
  await tellProcesses(tx, site.id, now);
}

interface SiteKeys {
  readonly current: StoredSigningKey;
  readonly next: StoredSigningKey;
  readonly previous: readonly StoredSigningKey[];
}

async function lockKeys(tx: Queryable, siteId: SiteId): Promise<SiteKeys> {
  const keys = await lockSigningKeys(tx, siteId);
  const current = keys.find(({ state }) => state === "current");
  const next = keys.find(({ state }) => state === "next");
  if (!current || !next) throw new Error(`Site ${siteId} lacks a signing key`);
  return { current, next, previous: keys.filter(({ state }) => state === "previous") };
}

/** The current key first, then the next one, then those before, the newest first. */
async function keysNow(tx: Queryable, siteId: SiteId): Promise<Rotated> {
  const stored = await listSigningKeys(tx, siteId);
  const keys = (["current", "next", "previous"] as const).flatMap((wanted) =>
    stored.filter(({ state }) => state === wanted),
  );
  const scheduledTime = keys.find(({ state }) => state === "next")?.switchTime;
  return { keys, scheduledTime };
}

async function takeOver(
  tx: Queryable,
  siteId: SiteId,
  actor: Actor,
  next: StoredSigningKey,
  fresh: StoredSigningKey,
  now: Date,
): Promise<void> {
  await activateSigningKey(tx, siteId, next.id, now);
  await insertSigningKey(tx, siteId, fresh);
  await tellProcesses(tx, siteId, now);
  const act = { kind: "signing_key.rotated", subjectId: next.id };
  await recordAct(tx, siteId, actor, act, now);
}

async function withdrawAll(
  tx: Queryable,
  siteId: SiteId,
  keys: readonly StoredSigningKey[],
  now: Date,
): Promise<void> {
  for (const { id } of keys) {
    await withdrawSigningKey(tx, siteId, id, now);
    const notice = {
      kind: "signing_key_withdrawn",
      subjectId: id,
      expireTime: endOf(now),
    } as const;
    await insertRevocation(tx, siteId, notice, now);
  }
}

async function tellProcesses(tx: Queryable, siteId: SiteId, now: Date): Promise<void> {
  await appendNotice(tx, siteId, { kind: "signing_keys_changed", subjectId: siteId }, now);
}

/** Made before the transaction: RS256 takes a moment. */
async function newNextKey(deps: Deps, siteId: SiteId): Promise<StoredSigningKey> {
  const { site } = await deps.sites.get(siteId);
  const now = deps.clock.now();
  return await makeSigningKey(deps.envelope, siteId, site.signingAlgorithm, "next", now);
}

/** The algorithm may have been changed since the key was made, or was not known then. */
async function ofAlgorithm(
  deps: Deps,
  site: Site,
  made: StoredSigningKey | undefined,
): Promise<StoredSigningKey> {
  const { id, signingAlgorithm } = site;
  if (made?.algorithm === signingAlgorithm) return made;
  return await makeSigningKey(deps.envelope, id, signingAlgorithm, "next", deps.clock.now());
}

/** No token that was signed until now is good any longer then. */
function endOf(now: Date): Date {
  return new Date(now.getTime() + REVOCATION_MS);
}
