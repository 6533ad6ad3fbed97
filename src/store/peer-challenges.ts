import type { Client } from "../model/caller.ts";
import type { SiteId } from "../model/id.ts";
import { type Queryable, sql } from "./sql.ts";

/** A login that waits for a Peer to check the second factor. */
export interface PeerChallenge {
  readonly tokenHash: Buffer;
  readonly peer: string;
  /** Sealed. */
  readonly state: Buffer;
  readonly audiences: readonly string[];
  readonly client: Client;
  readonly expireTime: Date;
}

/** So many that have expired are cleared by each that comes after. */
const CLEARED_MAX = 10;

/** Inserts a login that waits. */
export async function insertPeerChallenge(
  db: Queryable,
  siteId: SiteId,
  challenge: PeerChallenge,
  now: Date,
): Promise<void> {
  const { client } = challenge;
  await db.query(sql`
    with cleared as (
      delete from signet.peer_challenges
       where (site_id, token_hash) in (
               select site_id, token_hash from signet.peer_challenges
                where site_id = ${siteId} and expire_time < ${now}
                order by expire_time limit ${CLEARED_MAX}
                  for update skip locked))
    insert into signet.peer_challenges
           (site_id, token_hash, peer, state, audiences, client_ip, client_user_agent, expire_time)
    values (${siteId}, ${challenge.tokenHash}, ${challenge.peer}, ${challenge.state},
            ${challenge.audiences}, ${client.ip}, ${client.userAgent}, ${challenge.expireTime})`);
}

/** Finds a login that waits. */
export async function findPeerChallenge(
  db: Queryable,
  siteId: SiteId,
  tokenHash: Buffer,
  now: Date,
): Promise<PeerChallenge | undefined> {
  const { rows } = await db.query<
    Omit<PeerChallenge, "client"> & { readonly ip: string; readonly userAgent: string }
  >(sql`
    select token_hash as "tokenHash", peer, state, audiences, client_ip as ip,
           client_user_agent as "userAgent", expire_time as "expireTime"
      from signet.peer_challenges
     where site_id = ${siteId} and token_hash = ${tokenHash} and expire_time > ${now}`);
  const [row] = rows;
  if (!row) return undefined;
  const { ip, userAgent, ...challenge } = row;
  return { ...challenge, client: { ip, userAgent } };
}

/** Ends the waiting; of any number of callers at once, one is told true. */
export async function deletePeerChallenge(
  db: Queryable,
  siteId: SiteId,
  tokenHash: Buffer,
): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    delete from signet.peer_challenges where site_id = ${siteId} and token_hash = ${tokenHash}`);
  return rowCount === 1;
}
