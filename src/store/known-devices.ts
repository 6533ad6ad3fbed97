import type { Client } from "../model/caller.ts";
import type { SiteId, UserId } from "../model/id.ts";
import { enqueue, hot, type Queryable } from "./sql.ts";

/** Tells whether a User has signed in on a device. */
export async function isKnownDevice(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
  deviceHash: Buffer,
): Promise<boolean> {
  const { rowCount } = await db.query(hot`
    select from signet.known_devices
     where site_id = ${siteId} and user_id = ${userId} and device_hash = ${deviceHash}`);
  return rowCount === 1;
}

/** Notes a login on a device, and forgets those of the User's that were used longest ago. */
export async function saveKnownDevice(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
  deviceHash: Buffer,
  { now, max }: { readonly now: Date; readonly max: number },
): Promise<void> {
  const statement = hot`
    with surplus as (
      delete from signet.known_devices k
       using (select e.device_hash from signet.known_devices e
               where e.site_id = ${siteId} and e.user_id = ${userId}
                 and e.device_hash <> ${deviceHash}
               order by e.last_login_time desc offset ${max - 1}) old
       where k.site_id = ${siteId} and k.user_id = ${userId} and k.device_hash = old.device_hash
    )
    insert into signet.known_devices (site_id, user_id, device_hash, create_time, last_login_time)
    values (${siteId}, ${userId}, ${deviceHash}, ${now}, ${now})
        on conflict (site_id, user_id, device_hash) do update set last_login_time = ${now}`;
  await enqueue(db, statement);
}

/** Tells whether a User has signed in from this address with this program before. */
export async function hasSignedInFrom(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
  { ip, userAgent }: Client,
): Promise<boolean> {
  const { rows } = await db.query<{ known: boolean }>(hot`
    select exists (
      select from signet.sessions
       where site_id = ${siteId} and user_id = ${userId} and client_ip = ${ip}
         and client_user_agent = ${userAgent}) as known`);
  return rows[0]?.known === true;
}
