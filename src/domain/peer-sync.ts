import { createHash } from "node:crypto";
import { Failure } from "../model/failure.ts";
import { LIMITS } from "../model/limits.ts";
import type { PeerConfig, PeerUser } from "../model/peer.ts";
import type { User, UserRef } from "../model/user.ts";
import type { PeerPage } from "../outbound/peer-changes.ts";
import { insertCredentials } from "../store/credentials.ts";
import { findPeerCopy, insertPeerCopy, setSourceVersion } from "../store/peer-copies.ts";
import {
  leavePeerSync,
  notePeerConflict,
  type PeerSyncPlace,
  type PeerSyncRef,
  savePeerSync,
  takePeerSync,
} from "../store/peer-syncs.ts";
import type { Queryable } from "../store/sql.ts";
import { findUser, insertUser, lockUser, updateUser } from "../store/users.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { isAllowedAddress } from "./peer-board.ts";
import { followedFields, newCopy, toUndefinedIfTaken } from "./peer-copies.ts";
import { changedFields, changesBetween } from "./user-changes.ts";
import { write } from "./write.ts";

/** Takes the sync from a Peer on, or keeps it; undefined: another process has it. */
export async function takeSync(
  { db }: Deps,
  { siteId, name, peerSiteId, userFields, emailDomains }: PeerConfig,
  leaseId: string,
): Promise<PeerSyncPlace | undefined> {
  const facts = JSON.stringify([peerSiteId, userFields, emailDomains]);
  const scope = createHash("sha256").update(facts).digest("base64url");
  const ref = { peer: name, leaseId, scope };
  return await db.inSite(siteId, (tx) => takePeerSync(tx, siteId, ref, LIMITS.peerSyncLeaseMs));
}

/** Lets another process take the sync on. */
export async function leaveSync(
  { db }: Deps,
  { siteId, name: peer }: PeerConfig,
  leaseId: string,
): Promise<void> {
  await db.inSite(siteId, (tx) => leavePeerSync(tx, siteId, { peer, leaseId }));
}

/** Has the sync begin anew with all Users; those that are here stay. */
export async function restartSync(
  { db, clock }: Deps,
  { siteId, name: peer }: PeerConfig,
  leaseId: string,
): Promise<void> {
  const place = { cursor: "", position: 0, head: 0 };
  await db.inSite(siteId, (tx) => savePeerSync(tx, siteId, { peer, leaseId }, place, clock.now()));
}

/**
 * Takes the Users of a page, and stores the cursor with them. Users come without a password and
 * roles; of those that are here the fields of the Peer's list follow. Who is deleted or disabled
 * over there stays here as before, and who was deleted here stays away.
 *
 * Returns false if another process has taken the sync over.
 *
 * @throws {Failure} `unavailable`: try again.
 */
export async function applyPage(
  deps: Deps,
  peer: PeerConfig,
  leaseId: string,
  page: PeerPage,
  before: PeerSyncPlace,
): Promise<boolean> {
  const { siteId, name } = peer;
  const ref: PeerSyncRef = { peer: name, leaseId };
  const { cursor, head } = page;
  const place = { cursor, head, position: page.position ?? before.position };
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const applied = await write(deps, siteId, async (tx) => {
      // First of all: its row is locked until the commit, so that of two processes one goes on.
      if (!(await savePeerSync(tx, siteId, ref, place, deps.clock.now()))) return false;
      for (const user of page.users) await applyUser(deps, tx, peer, user, page);
      return true;
    }).catch(toUndefinedIfTaken);
    if (applied !== undefined) return applied;
  }
  throw new Failure("unavailable");
}

/** Another transaction may take an address after it was found free; the next attempt sees it. */
const ATTEMPTS_MAX = 3;

async function applyUser(
  deps: Deps,
  tx: Queryable,
  peer: PeerConfig,
  source: PeerUser,
  { isSnapshot }: Pick<PeerPage, "isSnapshot">,
): Promise<void> {
  // One hop: who has come over there from elsewhere is taken from elsewhere.
  if (source.state === "deleted" || source.isCopy) return;
  const { siteId, name } = peer;
  const copy = await findPeerCopy(tx, siteId, name, source.id);
  // A sync begins anew where other fields are to be taken, or the Peer was restored: what it shows
  // then is right whatever the versions say.
  if (copy && !isSnapshot && source.version <= copy.sourceVersion) return;
  if (!copy && source.state !== "active") return;
  const locked = copy && (await lockUser(tx, siteId, copy.userId));
  if (locked && locked.user.state === "deleted") return;
  const isConflict = await isTaken(tx, peer, source, locked?.user);
  await notePeerConflict(tx, siteId, name, source.id, isConflict);
  if (isConflict) return;
  if (copy && locked) {
    await updateCopy(deps, tx, peer, source, locked);
    await setSourceVersion(tx, siteId, { ...copy, sourceVersion: source.version });
  } else {
    await insertCopy(deps, tx, peer, source);
  }
}

/** Whoever has no name by which to sign in is of no use here, and counts as well. */
async function isTaken(
  tx: Queryable,
  peer: PeerConfig,
  { email, username }: PeerUser,
  own: User | undefined,
): Promise<boolean> {
  if (email === undefined && username === undefined) return true;
  if (email !== undefined && !isAllowedAddress(peer, email)) return true;
  const refs: UserRef[] = [];
  if (email !== undefined) refs.push({ by: "email", email });
  if (username !== undefined) refs.push({ by: "username", username });
  for (const ref of refs) {
    const user = await findUser(tx, peer.siteId, ref);
    if (user && user.id !== own?.id) return true;
  }
  return false;
}

async function insertCopy(
  deps: Deps,
  tx: Queryable,
  peer: PeerConfig,
  source: PeerUser,
): Promise<void> {
  const { siteId, name } = peer;
  const user = await newCopy(deps, tx, siteId, peer, source);
  const change = { kind: "user_created", furtherKinds: [], body: deps.encodeUser(user) } as const;
  await insertUser(tx, user, { ...change, bulk: true });
  await insertCredentials(tx, siteId, user.id, undefined);
  const names = { peer: name, sourceUserId: source.id, userId: user.id };
  await insertPeerCopy(tx, siteId, { ...names, sourceVersion: source.version, mfa: false });
  const details = { source_user_id: source.id };
  const act = { kind: "user.arrived", subjectId: user.id, details };
  await recordAct(tx, siteId, { kind: "peer", name }, act, user.createTime);
}

async function updateCopy(
  deps: Deps,
  tx: Queryable,
  peer: PeerConfig,
  source: PeerUser,
  { user: before, nextVersion: version }: { readonly user: User; readonly nextVersion: number },
): Promise<void> {
  const { siteId, name } = peer;
  const now = deps.clock.now();
  const after = { ...before, ...followedFields(peer, source, before), version, updateTime: now };
  const [kind, ...furtherKinds] = changesBetween(before, after);
  if (!kind) return;
  const body = deps.encodeUser(after);
  await updateUser(tx, after, before.version, { kind, furtherKinds, body, bulk: true });
  const details = { fields: changedFields(before, after) };
  const act = { kind: "user.updated", subjectId: before.id, details };
  await recordAct(tx, siteId, { kind: "peer", name }, act, now);
}
