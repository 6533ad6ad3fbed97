import type { PasswordHash } from "../crypto/password-hash.ts";
import type { UserChangeKind } from "../model/change.ts";
import { Failure } from "../model/failure.ts";
import { newId, type SiteId, type UserId } from "../model/id.ts";
import type { PeerConfig, PeerField, PeerUser } from "../model/peer.ts";
import type { Site } from "../model/site.ts";
import { newUser, type User, type UserRef } from "../model/user.ts";
import { findCredentials, insertCredentials, updatePassword } from "../store/credentials.ts";
import { findCopyOf, findPeerCopy, insertPeerCopy, updatePeerCopy } from "../store/peer-copies.ts";
import type { Queryable } from "../store/sql.ts";
import { findUser, firstVersion, lockUser } from "../store/users.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import type { ArrivedUser } from "./peers.ts";
import { changesBetween } from "./user-changes.ts";
import { saveNewUser, saveUser } from "./write.ts";

/** Whom a Peer has vouched for, with the password that it has verified. */
export interface VouchedUser {
  readonly peer: PeerConfig;
  readonly source: PeerUser;
  /** Made here: no hash has travelled. */
  readonly hash: PasswordHash;
  /** Whether the Peer has checked a second factor too. */
  readonly mfa: boolean;
  readonly identifier: UserRef;
}

/**
 * Makes the copy of a User of a Peer, or gives a copy that the sync has made its password. Returns
 * undefined for whoever cannot come: one who was deleted or disabled here, who has a password here
 * already, or whose address or name belongs to another User.
 */
export async function copyUser(
  deps: Deps,
  tx: Queryable,
  site: Site,
  vouched: VouchedUser,
): Promise<ArrivedUser | undefined> {
  const { peer, source } = vouched;
  const copy = await findPeerCopy(tx, site.id, peer.name, source.id);
  const user = copy
    ? await completeCopy(deps, tx, site.id, copy.userId, vouched)
    : await createCopy(deps, tx, site.id, vouched);
  const credentials = user && (await findCredentials(tx, site.id, user.id));
  return user && credentials && { outcome: "user", user, credentials };
}

/** Tells whether a User has shown a second factor at the Peer it came from, and has none here. */
export async function owesFactor(
  tx: Queryable,
  { id: siteId, mfaPolicy }: Site,
  { id, origin, mfaEnabled }: User,
): Promise<boolean> {
  if (origin?.kind !== "peer" || mfaEnabled || mfaPolicy === "off") return false;
  return (await findCopyOf(tx, siteId, id))?.mfa === true;
}

/** Returns what is taken of a User: the fields of the Peer's list, and no others. */
function takenFields({ userFields }: PeerConfig, source: PeerUser): Partial<User> {
  const fields: Readonly<Record<PeerField, Partial<User>>> = {
    display_name: { displayName: source.displayName },
    email: { email: source.email },
    email_verified: { emailVerified: source.emailVerified },
    locale: { locale: source.locale },
    metadata: { metadata: source.metadata },
    picture_url: { pictureUrl: source.pictureUrl },
    username: { username: source.username },
  };
  return Object.assign({}, ...userFields.map((name) => fields[name]));
}

/**
 * Returns what is taken for a User who is here. What was verified here is the address of before:
 * of another one a Peer whose word on that is not taken says nothing.
 */
export function followedFields(peer: PeerConfig, source: PeerUser, { email }: User): Partial<User> {
  const fields = takenFields(peer, source);
  const isOther = "email" in fields && fields.email !== email;
  return isOther ? { emailVerified: false, ...fields } : fields;
}

/** Makes a User of one of a Peer, as it is there. */
export async function newCopy(
  deps: Deps,
  tx: Queryable,
  siteId: SiteId,
  peer: PeerConfig,
  source: PeerUser,
): Promise<User> {
  const now = deps.clock.now();
  return newUser({
    ...takenFields(peer, source),
    id: newId<UserId>(now),
    siteId,
    version: await firstVersion(tx, siteId),
    origin: { kind: "peer", source: peer.name, sourceUserId: source.id, arriveTime: now },
    createTime: now,
  });
}

async function createCopy(
  deps: Deps,
  tx: Queryable,
  siteId: SiteId,
  { peer, source, hash, mfa, identifier }: VouchedUser,
): Promise<User> {
  const copy = await newCopy(deps, tx, siteId, peer, source);
  const now = copy.createTime;
  const username = await freeUsername(tx, siteId, copy.username, identifier);
  const user = { ...copy, username, passwordChangeTime: now };
  await saveNewUser(deps, tx, user);
  await insertCredentials(tx, siteId, user.id, hash);
  const names = { peer: peer.name, sourceUserId: source.id, userId: user.id };
  await insertPeerCopy(tx, siteId, { ...names, sourceVersion: source.version, mfa });
  const actor = { kind: "peer", name: peer.name } as const;
  const details = { source_user_id: source.id };
  await recordAct(tx, siteId, actor, { kind: "user.arrived", subjectId: user.id, details }, now);
  return user;
}

/** Who signs in by the address comes without the name, where that is another User's here. */
async function freeUsername(
  tx: Queryable,
  siteId: SiteId,
  username: string | undefined,
  identifier: UserRef,
): Promise<string | undefined> {
  if (username === undefined || identifier.by === "username") return username;
  return (await findUser(tx, siteId, { by: "username", username })) ? undefined : username;
}

/** A copy with a password of its own signs in by that alone, whatever a Peer says. */
async function completeCopy(
  deps: Deps,
  tx: Queryable,
  siteId: SiteId,
  userId: UserId,
  { peer, source, hash, mfa }: VouchedUser,
): Promise<User | undefined> {
  const locked = await lockUser(tx, siteId, userId);
  const stored = (await findCredentials(tx, siteId, userId))?.password;
  if (locked?.user.state !== "active" || stored) return undefined;
  const now = deps.clock.now();
  const { user: before, nextVersion: version } = locked;
  const taken = followedFields(peer, source, before);
  const fields = { ...taken, passwordChangeTime: now, updateTime: now };
  const after = { ...before, ...fields, version };
  const others = changesBetween(before, after);
  const kinds: [UserChangeKind, ...UserChangeKind[]] = ["user_password_changed", ...others];
  const user = await saveUser(deps, tx, before, after, kinds);
  await updatePassword(tx, siteId, userId, hash);
  const copy = { peer: peer.name, sourceUserId: source.id, userId };
  await updatePeerCopy(tx, siteId, { ...copy, sourceVersion: source.version, mfa });
  const actor = { kind: "peer", name: peer.name } as const;
  const details = { source_user_id: source.id };
  await recordAct(tx, siteId, actor, { kind: "user.arrived", subjectId: userId, details }, now);
  return user;
}

/** Returns undefined in place of the failure that says what another User has. */
export function toUndefinedIfTaken(error: unknown): undefined {
  const taken = ["email_taken", "username_taken"];
  if (error instanceof Failure && taken.includes(error.reason)) return undefined;
  throw error;
}
