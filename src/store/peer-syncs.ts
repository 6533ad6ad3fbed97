import type { SiteId } from "../model/id.ts";
import type { PeerSyncState } from "../model/peer.ts";
import { type Queryable, sql } from "./sql.ts";

/** Which sync it is, and who does it. */
export interface PeerSyncRef {
  readonly peer: string;
  /** A UUID of the process that does it. */
  readonly leaseId: string;
}

/** Where a sync goes on. */
export interface PeerSyncPlace {
  /** Empty: it begins. */
  readonly cursor: string;
  readonly position: number;
  readonly head: number;
}

/**
 * Takes a sync on, or keeps it, for so long; of any number of processes, one has it. With another
 * scope it begins anew. Returns undefined where another process has it.
 */
export async function takePeerSync(
  db: Queryable,
  siteId: SiteId,
  { peer, leaseId, scope }: PeerSyncRef & { readonly scope: string },
  leaseMs: number,
): Promise<PeerSyncPlace | undefined> {
  const { rows } = await db.query<PeerSyncPlace>(sql`
    insert into signet.peer_syncs as s
           (site_id, peer, scope, cursor, position, head, lease_id, lease_expire_time)
    values (${siteId}, ${peer}, ${scope}, '', 0, 0, ${leaseId},
            now() + ${leaseMs} * interval '1 millisecond')
        on conflict (site_id, peer) do update
       set scope = excluded.scope,
           cursor = case when s.scope = excluded.scope then s.cursor else '' end,
           position = case when s.scope = excluded.scope then s.position else 0 end,
           lease_id = excluded.lease_id, lease_expire_time = excluded.lease_expire_time
     where s.lease_id is null or s.lease_id = excluded.lease_id or s.lease_expire_time < now()
    returning cursor, position, head`);
  return rows[0];
}

/** Lets another process take the sync on. */
export async function leavePeerSync(
  db: Queryable,
  siteId: SiteId,
  { peer, leaseId }: PeerSyncRef,
): Promise<void> {
  await db.query(sql`
    update signet.peer_syncs set lease_id = null, lease_expire_time = null
     where site_id = ${siteId} and peer = ${peer} and lease_id = ${leaseId}`);
}

/** Stores the place, with what was applied up to there; false: another process has taken over. */
export async function savePeerSync(
  db: Queryable,
  siteId: SiteId,
  { peer, leaseId }: PeerSyncRef,
  { cursor, position, head }: PeerSyncPlace,
  now: Date,
): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    update signet.peer_syncs
       set cursor = ${cursor}, position = ${position}, head = ${head}, contact_time = ${now}
     where site_id = ${siteId} and peer = ${peer} and lease_id = ${leaseId}`);
  return rowCount === 1;
}

/** Finds how a sync is doing. */
export async function findPeerSync(
  db: Queryable,
  siteId: SiteId,
  peer: string,
): Promise<PeerSyncState | undefined> {
  const { rows } = await db.query<
    Omit<PeerSyncState, "contactTime"> & { readonly contactTime: Date | null }
  >(sql`
    select s.position, s.head, s.contact_time as "contactTime",
           (select count(*) from signet.peer_conflicts c
             where c.site_id = s.site_id and c.peer = s.peer) as conflicts
      from signet.peer_syncs s
     where s.site_id = ${siteId} and s.peer = ${peer}`);
  const [row] = rows;
  return row && { ...row, contactTime: row.contactTime ?? undefined };
}

/** Notes whether a User of a Peer cannot be taken. */
export async function notePeerConflict(
  db: Queryable,
  siteId: SiteId,
  peer: string,
  sourceUserId: string,
  isConflict: boolean,
): Promise<void> {
  await db.query(
    isConflict
      ? sql`
        insert into signet.peer_conflicts (site_id, peer, source_user_id)
        values (${siteId}, ${peer}, ${sourceUserId})
            on conflict do nothing`
      : sql`
        delete from signet.peer_conflicts
         where site_id = ${siteId} and peer = ${peer} and source_user_id = ${sourceUserId}`,
  );
}
