import type { SiteId, UserId } from "../../src/model/id.ts";
import type { User } from "../../src/model/user.ts";
import { encodeUser } from "../../src/rpc/convert-user.ts";
import { CHANGE_CHANNEL } from "../../src/store/changes.ts";
import type { Database } from "../../src/store/database.ts";
import { type Queryable, sql } from "../../src/store/sql.ts";
import { findUsers } from "../../src/store/users.ts";

/**
 * Gives Users other display names, all in one transaction; returns the version that each has come
 * to. Tombstones, and ids of nobody, are left out.
 */
export async function renameTogether(
  db: Database,
  siteId: SiteId,
  names: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, number>> {
  const { result: versions } = await db.changeSite(siteId, async (tx) => {
    const next = await lockUsers(tx, siteId, [...names.keys()]);
    const locked = await findUsers(tx, siteId, [...next.keys()] as UserId[]);
    const renamed = locked.map((user) => ({
      ...user,
      displayName: names.get(user.id) ?? "",
      version: next.get(user.id) ?? 0,
    }));
    await updateNames(tx, siteId, renamed);
    return next;
  });
  db.notifySoon(CHANGE_CHANNEL);
  return versions;
}

/** Locks Users in the order of their ids, or two would wait in a ring; returns their versions. */
async function lockUsers(
  tx: Queryable,
  siteId: SiteId,
  ids: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await tx.query<{ readonly id: string; readonly version: number }>(sql`
    select id, greatest(version, signet.version_floor()) + 1 as version
      from signet.users
     where site_id = ${siteId} and id = any(${ids}::uuid[]) and state <> 'deleted'
     order by id
       for no key update`);
  return new Map(rows.map(({ id, version }) => [id, version]));
}

async function updateNames(tx: Queryable, siteId: SiteId, users: readonly User[]): Promise<void> {
  const ids = users.map(({ id }) => id);
  const versions = users.map(({ version }) => version);
  const names = users.map(({ displayName }) => displayName);
  const bodies = users.map(encodeUser);
  await tx.query(sql`
    with renamed as (
      select u.id, u.version as previous_version, t.version, t.name, t.body
        from unnest(${ids}::uuid[], ${versions}::bigint[], ${names}::text[], ${bodies}::bytea[])
          as t (id, version, name, body)
        join signet.users u on u.site_id = ${siteId} and u.id = t.id
    ), logged as (
      insert into signet.change_outbox
             (site_id, kind, further_kinds, user_id, version, previous_version, body, bulk,
              commit_time)
      select ${siteId}, 'user_updated', '{}', r.id, r.version, r.previous_version, r.body, true,
             now()
        from renamed r)
    update signet.users u
       set version = r.version, display_name = r.name
      from renamed r
     where u.site_id = ${siteId} and u.id = r.id`);
}
