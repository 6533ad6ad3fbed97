import type { SiteId, UserId } from "../model/id.ts";
import { type Queryable, sql } from "./sql.ts";

/** Which User here is the copy of which User of a Peer. */
export interface PeerCopy {
  readonly peer: string;
  readonly sourceUserId: string;
  readonly userId: UserId;
  /** The version over there that was taken last. */
  readonly sourceVersion: number;
  /** Whether the User had a second factor over there at the first login here. */
  readonly mfa: boolean;
}

/** Notes that a User is a copy. */
export async function insertPeerCopy(db: Queryable, siteId: SiteId, copy: PeerCopy): Promise<void> {
  await db.query(sql`
    insert into signet.peer_copies (site_id, peer, source_user_id, user_id, source_version, mfa)
    values (${siteId}, ${copy.peer}, ${copy.sourceUserId}, ${copy.userId}, ${copy.sourceVersion},
            ${copy.mfa})`);
}

/** Finds the copy of a User of a Peer; it may be a tombstone by now. */
export async function findPeerCopy(
  db: Queryable,
  siteId: SiteId,
  peer: string,
  sourceUserId: string,
): Promise<PeerCopy | undefined> {
  const { rows } = await db.query<PeerCopy>(sql`
    select peer, source_user_id as "sourceUserId", user_id as "userId",
           source_version as "sourceVersion", mfa
      from signet.peer_copies
     where site_id = ${siteId} and peer = ${peer} and source_user_id = ${sourceUserId}`);
  return rows[0];
}

/** Finds out of which User of a Peer a User is the copy. */
export async function findCopyOf(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
): Promise<PeerCopy | undefined> {
  const { rows } = await db.query<PeerCopy>(sql`
    select peer, source_user_id as "sourceUserId", user_id as "userId",
           source_version as "sourceVersion", mfa
      from signet.peer_copies
     where site_id = ${siteId} and user_id = ${userId}`);
  return rows[0];
}

/** Notes which version was taken, and is all there is now: also one below that of before. */
export async function setSourceVersion(
  db: Queryable,
  siteId: SiteId,
  { peer, sourceUserId, sourceVersion }: PeerCopy,
): Promise<void> {
  await db.query(sql`
    update signet.peer_copies set source_version = ${sourceVersion}
     where site_id = ${siteId} and peer = ${peer} and source_user_id = ${sourceUserId}`);
}

/** Notes what was taken; of two, the newer version stays. */
export async function updatePeerCopy(
  db: Queryable,
  siteId: SiteId,
  { peer, sourceUserId, sourceVersion, mfa }: PeerCopy,
): Promise<void> {
  await db.query(sql`
    update signet.peer_copies
       set source_version = greatest(source_version, ${sourceVersion}), mfa = ${mfa}
     where site_id = ${siteId} and peer = ${peer} and source_user_id = ${sourceUserId}`);
}
