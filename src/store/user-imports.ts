import type { UserChangeKind } from "../model/change.ts";
import type { SiteId, UserId } from "../model/id.ts";
import type { User } from "../model/user.ts";
import type { ImportedPassword } from "../model/user-import.ts";
import { hot, indexed, type Queryable, sql } from "./sql.ts";
import { toTaken, toUser, USER_COLUMNS, type UserRow } from "./users.ts";

/** The names that rows have, by which Users are found. */
export interface ImportNames {
  readonly ids: readonly UserId[];
  readonly externalIds: readonly string[];
  readonly emails: readonly string[];
  readonly usernames: readonly string[];
}

/**
 * Finds the Users, and tombstones by id, that have one of the names; one may be found repeatedly.
 * Name by name, each in the index of its kind.
 */
export async function findNamedUsers(
  db: Queryable,
  siteId: SiteId,
  { ids, externalIds, emails, usernames }: ImportNames,
): Promise<User[]> {
  const { rows } = await db.query<UserRow>(hot`
    select u.* from unnest(${ids}::uuid[]) name, lateral (
      select ${USER_COLUMNS} from signet.users
       where site_id = ${siteId} and id = name limit 1) u
     union all
    select u.* from unnest(${externalIds}::text[]) name, lateral (
      select ${USER_COLUMNS} from signet.users
       where site_id = ${siteId} and external_id = name limit 1) u
     union all
    select u.* from unnest(${emails}::text[]) name, lateral (
      select ${USER_COLUMNS} from signet.users
       where site_id = ${siteId} and email = name limit 1) u
     union all
    select u.* from unnest(${usernames}::text[]) name, lateral (
      select ${USER_COLUMNS} from signet.users
       where site_id = ${siteId} and username = name limit 1) u`);
  return rows.map(toUser);
}

/**
 * Has the connection plan anew whatever it has planned.
 *
 * Foreign keys are checked row by row, by a plan that each connection makes once. One that was made
 * while the table was all but empty reads every User of the Site for each new one, and would be
 * kept until somebody analyzes the table, perhaps a minute later: time for 1,000,000 more.
 */
export async function forgetPlans(db: Queryable): Promise<void> {
  await db.query(sql`discard plans`);
}

/** A User whose row the transaction has locked, as far as its versions tell. */
export interface LockedVersion {
  readonly id: UserId;
  readonly version: number;
  /** The version that its next change takes. */
  readonly nextVersion: number;
}

/** Locks Users in the order of their ids, in which every import does. */
export async function lockVersions(
  db: Queryable,
  siteId: SiteId,
  ids: readonly UserId[],
): Promise<LockedVersion[]> {
  const { rows } = await db.query<LockedVersion>(hot`
    select u.*
      from (select distinct unnest(${ids}::uuid[]) as named order by named) given
     cross join lateral (
       select id, version, greatest(version, signet.version_floor()) + 1 as "nextVersion"
         from signet.users
        where site_id = ${siteId} and id = named
        limit 1
          for no key update) u`);
  return rows;
}

/** A User that is new. */
export interface NewImport {
  readonly user: User;
  readonly password: ImportedPassword | undefined;
  /** The published state, encoded; opaque here. */
  readonly body: Uint8Array;
}

/**
 * Inserts Users of one Site and version together with their Changes, marked as bulk, and what they
 * sign in with, in one statement.
 *
 * @throws {Failure} `…_taken`, naming what is; nothing tells which row it is.
 */
export async function insertImports(
  db: Queryable,
  siteId: SiteId,
  imports: readonly NewImport[],
  now: Date,
): Promise<void> {
  const users = imports.map(({ user }) => user);
  const [first] = users;
  if (!first) return;
  const bodies = joinBodies(imports);
  await db
    .query(sql`
    with given as materialized (
      select *
        from unnest(
               ${users.map(({ id }) => id)}::uuid[],
               ${users.map(({ email }) => email ?? null)}::text[],
               ${users.map(({ emailVerified }) => emailVerified)}::boolean[],
               ${users.map(({ username }) => username ?? null)}::text[],
               ${users.map(({ displayName }) => displayName)}::text[],
               ${users.map(({ pictureUrl }) => pictureUrl)}::text[],
               ${users.map(({ locale }) => locale)}::text[],
               ${users.map(({ roles }) => arrayText(roles))}::text[],
               ${users.map(({ state }) => state)}::text[],
               ${users.map(({ externalId }) => externalId ?? null)}::text[],
               ${users.map(({ metadata }) => metadata && JSON.stringify(metadata))}::text[],
               ${users.map(({ createTime }) => createTime)}::timestamptz[],
               ${imports.map(({ password }) => password?.phc ?? null)}::text[],
               ${imports.map(({ password }) => password?.pepperVersion ?? null)}::integer[],
               ${bodies.ends}::integer[])
             as g (id, email, email_verified, username, display_name, picture_url, locale, roles,
                   state, external_id, metadata, create_time, password_hash, pepper_version,
                   body_end)
    ), logged as (
      insert into signet.change_outbox
             (site_id, kind, further_kinds, user_id, version, body, bulk, commit_time)
      select ${siteId}, 'user_created', '{}', id, ${first.version}::bigint,
             substr(${bodies.bytes}::bytea, body_begin, body_end - body_begin), true, ${now}
        from (select id, body_end, lag(body_end, 1, 1) over (order by body_end) as body_begin
                from given) b
    ), credentialed as (
      insert into signet.credentials
             (site_id, user_id, password_hash, pepper_version, disabled_from)
      select ${siteId}, id, password_hash, pepper_version,
             case when state = 'disabled' then 'active' end
        from given
    )
    insert into signet.users
           (site_id, id, version, email, email_verified, username, display_name, picture_url,
            locale, roles, state, mfa_enabled, password_change_time, external_id, metadata,
            origin_kind, origin_source, origin_user_id, origin_arrive_time, create_time,
            update_time, delete_time, deletion_protected)
    select ${siteId}, id, ${first.version}::bigint, email, email_verified, username, display_name,
           picture_url, locale, roles::text[], state, false,
           case when password_hash is not null then ${now}::timestamptz end, external_id,
           metadata::jsonb, 'import', ${first.origin?.source ?? ""}, coalesce(external_id, ''),
           ${now}, create_time, ${now}, null, false
      from given`)
    .catch((error: unknown) => {
      throw toTaken(error);
    });
}

/** A User that a row changes. */
export interface ChangedImport {
  readonly before: User;
  readonly after: User;
  /** Given to a User that has none; absent: its password stays. */
  readonly password: ImportedPassword | undefined;
  readonly kinds: readonly UserChangeKind[];
  readonly body: Uint8Array;
}

/**
 * Changes Users that the transaction has locked, together with their Changes, marked as bulk, in
 * one statement.
 *
 * @throws {Failure} `…_taken`, naming what is; nothing tells which row it is.
 */
export async function updateImports(
  db: Queryable,
  siteId: SiteId,
  changed: readonly ChangedImport[],
  now: Date,
): Promise<void> {
  if (changed.length === 0) return;
  const users = changed.map(({ after }) => after);
  const bodies = joinBodies(changed);
  await db
    .query(indexed`
    with given as materialized (
      select *
        from unnest(
               ${users.map(({ id }) => id)}::uuid[],
               ${users.map(({ version }) => version)}::bigint[],
               ${changed.map(({ before }) => before.version)}::bigint[],
               ${users.map(({ email }) => email ?? null)}::text[],
               ${users.map(({ emailVerified }) => emailVerified)}::boolean[],
               ${users.map(({ username }) => username ?? null)}::text[],
               ${users.map(({ displayName }) => displayName)}::text[],
               ${users.map(({ pictureUrl }) => pictureUrl)}::text[],
               ${users.map(({ locale }) => locale)}::text[],
               ${users.map(({ roles }) => arrayText(roles))}::text[],
               ${users.map(({ state }) => state)}::text[],
               ${users.map(({ passwordChangeTime }) => passwordChangeTime ?? null)}::timestamptz[],
               ${users.map(({ externalId }) => externalId ?? null)}::text[],
               ${users.map(({ metadata }) => metadata && JSON.stringify(metadata))}::text[],
               ${changed.map(({ password }) => password?.phc ?? null)}::text[],
               ${changed.map(({ password }) => password?.pepperVersion ?? null)}::integer[],
               ${changed.map(({ kinds }) => kinds[0])}::text[],
               ${changed.map(({ kinds }) => arrayText(kinds.slice(1)))}::text[],
               ${bodies.ends}::integer[])
             as g (id, version, previous_version, email, email_verified, username, display_name,
                   picture_url, locale, roles, state, password_change_time, external_id, metadata,
                   password_hash, pepper_version, kind, further_kinds, body_end)
    ), logged as (
      insert into signet.change_outbox
             (site_id, kind, further_kinds, user_id, version, previous_version, body, bulk,
              commit_time)
      select ${siteId}, kind, further_kinds::text[], id, version, previous_version,
             substr(${bodies.bytes}::bytea, body_begin, body_end - body_begin), true, ${now}
        from (select *, lag(body_end, 1, 1) over (order by body_end) as body_begin from given) b
    ), credentialed as (
      update signet.credentials c
         set password_hash = g.password_hash, pepper_version = g.pepper_version
        from given g
       where c.site_id = ${siteId} and c.user_id = g.id and g.password_hash is not null
    )
    update signet.users u
       set version = g.version, email = g.email, email_verified = g.email_verified,
           username = g.username, display_name = g.display_name, picture_url = g.picture_url,
           locale = g.locale, roles = g.roles::text[], state = g.state,
           password_change_time = g.password_change_time, external_id = g.external_id,
           metadata = g.metadata::jsonb, update_time = ${now}
      from given g
     where u.site_id = ${siteId} and u.id = g.id and u.version = g.previous_version`)
    .catch((error: unknown) => {
      throw toTaken(error);
    });
}

/** All bodies one after the other: as an array, their bytes would travel as text, twice as long. */
function joinBodies(rows: readonly { readonly body: Uint8Array }[]) {
  let end = 1; // PostgreSQL counts from one.
  const ends = rows.map(({ body }) => {
    end += body.length;
    return end;
  });
  return { bytes: Buffer.concat(rows.map(({ body }) => body)), ends };
}

/** Writes an array as PostgreSQL reads it; an array of arrays would want them all of one length. */
function arrayText(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text}"`).join(",")}}`;
}
