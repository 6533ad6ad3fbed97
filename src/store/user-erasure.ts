import type { SiteId, UserId } from "../model/id.ts";
import { fragment, indexed, type Queryable } from "./sql.ts";

/**
 * Removes what tells of people besides the Users themselves: what they sign in with, what waits
 * for them, where they came from. Their Sessions end, and stay without that for the time being.
 */
export async function eraseUserData(
  db: Queryable,
  siteId: SiteId,
  userIds: readonly UserId[],
  now: Date,
): Promise<void> {
  const theirs = fragment`given g where x.site_id = ${siteId} and x.user_id = g.user_id`;
  await db.query(indexed`
    with given as materialized (
      select user_id from unnest(${userIds}::uuid[]) as user_id
    ), credentials as (
      delete from signet.credentials x using ${theirs}
    ), one_time_tokens as (
      delete from signet.one_time_tokens x using ${theirs}
    ), email_changes as (
      delete from signet.email_changes x using ${theirs}
    ), totp_factors as (
      delete from signet.totp_factors x using ${theirs}
    ), recovery_codes as (
      delete from signet.recovery_codes x using ${theirs}
    ), login_challenges as (
      delete from signet.login_challenges x using ${theirs}
    ), guess_counts as (
      delete from signet.guess_counts x
       using given g where x.site_id = ${siteId} and x.account_id = g.user_id
    ), login_attempts as (
      delete from signet.login_attempts x using ${theirs}
    ), known_devices as (
      delete from signet.known_devices x using ${theirs}
    )
    update signet.sessions x
       set end_time = coalesce(end_time, ${now}), client_ip = '', client_user_agent = ''
      from ${theirs}`);
}

/** What takes the place of a User that the transaction has locked. */
export interface Tombstone {
  readonly id: UserId;
  readonly version: number;
  readonly previousVersion: number;
  /** The published state, encoded. */
  readonly body: Uint8Array;
}

/** Puts tombstones in the place of Users, together with their changes. */
export async function putTombstones(
  db: Queryable,
  siteId: SiteId,
  tombstones: readonly Tombstone[],
  now: Date,
): Promise<void> {
  await db.query(indexed`
    with gone as (
      select id, version, previous_version, body
        from unnest(${tombstones.map(({ id }) => id)}::uuid[],
                    ${tombstones.map(({ version }) => version)}::bigint[],
                    ${tombstones.map(({ previousVersion }) => previousVersion)}::bigint[],
                    ${tombstones.map(({ body }) => Buffer.from(body))}::bytea[])
             as given (id, version, previous_version, body)
    ), logged as (
      insert into signet.change_outbox
             (site_id, kind, user_id, version, previous_version, body, bulk, commit_time)
      select ${siteId}, 'user_deleted', id, version, previous_version, body, true, ${now}
        from gone)
    update signet.users u
       set version = g.version, email = null, email_verified = false, username = null,
           display_name = '', picture_url = '', locale = '', roles = '{}', state = 'deleted',
           mfa_enabled = false, password_change_time = null, external_id = null, metadata = null,
           origin_kind = null, origin_source = null, origin_user_id = null,
           origin_arrive_time = null, update_time = ${now}, delete_time = ${now},
           deletion_protected = false
      from gone g
     where u.site_id = ${siteId} and u.id = g.id and u.version = g.previous_version`);
}
