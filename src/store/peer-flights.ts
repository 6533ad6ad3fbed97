import type { SiteId } from "../model/id.ts";
import { type Queryable, sql } from "./sql.ts";

/** One who asks the Peers about an identifier, or waits for it. */
export interface PeerFlight {
  /** Stands for the identifier. */
  readonly digest: Buffer;
  /** A UUID of who asks. */
  readonly id: string;
}

/** So many rows of processes that have died are cleared by each that comes after. */
const CLEARED_MAX = 10;

/**
 * Takes the turn to ask about an identifier; of any number of processes, one is told true. The
 * time is the database's, which all of them share.
 */
export async function takeFlight(
  db: Queryable,
  siteId: SiteId,
  { digest, id }: PeerFlight,
  leaseMs: number,
): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    with cleared as (
      delete from signet.peer_flights
       where (site_id, identifier_digest) in (
               select site_id, identifier_digest from signet.peer_flights
                where site_id = ${siteId} and expire_time < now()
                  and identifier_digest <> ${digest}
                order by expire_time limit ${CLEARED_MAX}
                  for update skip locked))
    insert into signet.peer_flights as f (site_id, identifier_digest, flight_id, expire_time)
    values (${siteId}, ${digest}, ${id}, now() + ${leaseMs} * interval '1 millisecond')
        on conflict (site_id, identifier_digest) do update
       set flight_id = excluded.flight_id, expire_time = excluded.expire_time
     where f.expire_time < now()`);
  return rowCount === 1;
}

/** Gives the turn back. */
export async function endFlight(
  db: Queryable,
  siteId: SiteId,
  { digest, id }: PeerFlight,
): Promise<void> {
  await db.query(sql`
    delete from signet.peer_flights
     where site_id = ${siteId} and identifier_digest = ${digest} and flight_id = ${id}`);
}
