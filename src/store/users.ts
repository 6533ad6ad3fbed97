import type { EmailAddress } from "../model/email-address.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId, UserId } from "../model/id.ts";
import type { JsonObject } from "../model/json.ts";
import type { User, UserOrigin, UserRef, UserState } from "../model/user.ts";
import type { UserChangeRecord } from "./changes.ts";
import { constraintOf } from "./postgres-errors.ts";
import {
  enqueue,
  type Fragment,
  fragment,
  hot,
  indexed,
  type Queryable,
  type Reader,
} from "./sql.ts";

/** A row of `users`. */
export interface UserRow {
  readonly id: UserId;
  readonly site_id: SiteId;
  readonly version: number;
  readonly email: EmailAddress | null;
  readonly email_verified: boolean;
  readonly username: string | null;
  readonly display_name: string;
  readonly picture_url: string;
  readonly locale: string;
  readonly roles: string[];
  readonly state: UserState;
  readonly mfa_enabled: boolean;
  readonly password_change_time: Date | null;
  readonly external_id: string | null;
  readonly metadata: JsonObject | null;
  readonly origin_kind: UserOrigin["kind"] | null;
  readonly origin_source: string | null;
  readonly origin_user_id: string | null;
  readonly origin_arrive_time: Date | null;
  readonly create_time: Date;
  readonly update_time: Date;
  readonly delete_time: Date | null;
  readonly deletion_protected: boolean;
}

/** What {@link toUser} reads of a row of `users`. */
export const USER_COLUMNS = fragment`
  id, site_id, version, email, email_verified, username, display_name, picture_url, locale, roles,
  state, mfa_enabled, password_change_time, external_id, metadata, origin_kind, origin_source,
  origin_user_id, origin_arrive_time, create_time, update_time, delete_time, deletion_protected`;

/** Finds a User by one of its unique names; a tombstone is found by its id alone. */
export async function findUser(
  db: Reader,
  siteId: SiteId,
  ref: UserRef,
): Promise<User | undefined> {
  const { rows } = await db.query<UserRow>(hot`
    select ${USER_COLUMNS} from signet.users where site_id = ${siteId} and ${isReferredTo(ref)}`);
  return rows[0] && toUser(rows[0]);
}

/** A User whose row the transaction has locked. */
export interface LockedUser {
  readonly user: User;
  /** The version that its next change takes. */
  readonly nextVersion: number;
}

/**
 * Finds a User and locks its row, so that the version that is written next follows from the
 * one that was read.
 */
export async function lockUser(
  db: Queryable,
  siteId: SiteId,
  id: UserId,
): Promise<LockedUser | undefined> {
  const { rows } = await db.query<UserRow & { next_version: number }>(hot`
    select ${USER_COLUMNS}, greatest(version, signet.version_floor()) + 1 as next_version
      from signet.users
     where site_id = ${siteId} and id = ${id}
       for no key update`);
  return rows[0] && { user: toUser(rows[0]), nextVersion: rows[0].next_version };
}

/** Locks those of the Users that are no tombstones, in the order of their ids. */
export async function lockLivingUsers(
  db: Queryable,
  siteId: SiteId,
  ids: readonly UserId[],
): Promise<LockedUser[]> {
  const { rows } = await db.query<UserRow & { next_version: number }>(hot`
    select u.*
      from (select distinct unnest(${ids}::uuid[]) as named order by named) given
     cross join lateral (
       select ${USER_COLUMNS}, greatest(version, signet.version_floor()) + 1 as next_version
         from signet.users
        where site_id = ${siteId} and id = named and state <> 'deleted'
        limit 1
          for no key update) u`);
  return rows.map((row) => ({ user: toUser(row), nextVersion: row.next_version }));
}

/**
 * Finds the Users, tombstones included, among the ids; those that are missing are left out.
 *
 * One by one: to `= any`, which counts as ten look-ups, PostgreSQL prefers to go through an index
 * of the whole Site where Sites are small in the mean.
 */
export async function findUsers(
  db: Reader,
  siteId: SiteId,
  ids: readonly UserId[],
): Promise<User[]> {
  const { rows } = await db.query<UserRow>(hot`
    select u.*
      from (select distinct unnest(${ids}::uuid[]) as named) given
     cross join lateral (
       select ${USER_COLUMNS} from signet.users
        where site_id = ${siteId} and id = named limit 1) u`);
  return rows.map(toUser);
}

/**
 * Lists at most `limit` Users of the Site in id order, tombstones included, starting after
 * `after`. For snapshots: `users_pkey` serves the page without a sort.
 */
export async function listUsersById(
  db: Queryable,
  siteId: SiteId,
  page: { readonly after: UserId | undefined; readonly limit: number },
): Promise<User[]> {
  const { rows } = await db.query<UserRow>(indexed`
    select ${USER_COLUMNS}
      from signet.users
     where site_id = ${siteId}
       and ${page.after ? fragment`id > ${page.after}` : fragment`true`}
     order by id
     limit ${page.limit}`);
  return rows.map(toUser);
}

/** Inserts a User together with its change. @throws {Failure} `…_taken`, naming what is. */
export async function insertUser(
  db: Queryable,
  user: User,
  change: UserChangeRecord,
): Promise<void> {
  const { origin } = user;
  const statement = hot`
    with logged as (
      insert into signet.change_outbox
             (site_id, kind, further_kinds, user_id, version, body, bulk, commit_time)
      values (${user.siteId}, ${change.kind}, ${change.furtherKinds}, ${user.id},
              ${user.version}, ${change.body}, ${change.bulk}, ${user.updateTime}))
    insert into signet.users
           (site_id, id, version, email, email_verified, username, display_name, picture_url,
            locale, roles, state, mfa_enabled, password_change_time, external_id, metadata,
            origin_kind, origin_source, origin_user_id, origin_arrive_time, create_time,
            update_time, delete_time, deletion_protected)
    values (${user.siteId}, ${user.id}, ${user.version}, ${user.email ?? null},
            ${user.emailVerified}, ${user.username ?? null}, ${user.displayName},
            ${user.pictureUrl}, ${user.locale}, ${user.roles}, ${user.state},
            ${user.mfaEnabled}, ${user.passwordChangeTime ?? null},
            ${user.externalId ?? null}, ${user.metadata ?? null}, ${origin?.kind ?? null},
            ${origin?.source ?? null}, ${origin?.sourceUserId ?? null},
            ${origin?.arriveTime ?? null}, ${user.createTime}, ${user.updateTime},
            ${user.deleteTime ?? null}, ${user.deletionProtected})`;
  await enqueue(db, statement, toTaken);
}

/**
 * Replaces a User, which the transaction has locked, together with its change.
 *
 * @throws {Failure} `…_taken`, naming what is.
 */
export async function updateUser(
  db: Queryable,
  user: User,
  previousVersion: number,
  change: UserChangeRecord,
): Promise<void> {
  const { origin } = user;
  const statement = hot`
    with logged as (
      insert into signet.change_outbox
             (site_id, kind, further_kinds, user_id, version, previous_version, body, bulk,
              commit_time)
      values (${user.siteId}, ${change.kind}, ${change.furtherKinds}, ${user.id},
              ${user.version}, ${previousVersion}, ${change.body}, ${change.bulk},
              ${user.updateTime}))
    update signet.users
       set version = ${user.version}, email = ${user.email ?? null},
           email_verified = ${user.emailVerified}, username = ${user.username ?? null},
           display_name = ${user.displayName}, picture_url = ${user.pictureUrl},
           locale = ${user.locale}, roles = ${user.roles}, state = ${user.state},
           mfa_enabled = ${user.mfaEnabled},
           password_change_time = ${user.passwordChangeTime ?? null},
           external_id = ${user.externalId ?? null}, metadata = ${user.metadata ?? null},
           origin_kind = ${origin?.kind ?? null}, origin_source = ${origin?.source ?? null},
           origin_user_id = ${origin?.sourceUserId ?? null},
           origin_arrive_time = ${origin?.arriveTime ?? null},
           update_time = ${user.updateTime}, delete_time = ${user.deleteTime ?? null},
           deletion_protected = ${user.deletionProtected}
     where site_id = ${user.siteId} and id = ${user.id} and version = ${previousVersion}`;
  await enqueue(db, statement, toTaken);
}

/**
 * Returns the version that a new User of the Site takes. It tells epochs apart, and is above all
 * that deleted Users had: an id may be used again when its tombstone is gone.
 */
export async function firstVersion(db: Queryable, siteId: SiteId): Promise<number> {
  const { rows } = await db.query<{ version: number }>(hot`
    select signet.first_version(${siteId}) as version`);
  return rows[0]?.version ?? 1;
}

/** Tells which of the Site's rows of `users` is meant. */
export function isReferredTo(ref: UserRef): Fragment {
  switch (ref.by) {
    case "id":
      return fragment`id = ${ref.id}`;
    case "email":
      return fragment`email = ${ref.email}`;
    case "username":
      return fragment`username = ${ref.username}`;
    case "external_id":
      return fragment`external_id = ${ref.externalId}`;
  }
}

const TAKEN = {
  users_email_key: "email_taken",
  users_username_key: "username_taken",
  users_external_id_key: "external_id_taken",
  users_pkey: "id_taken",
  users_site_open: "site_not_found",
} as const;

/** Translates the violation of a unique name into its Failure; another error stays as it is. */
export function toTaken(error: unknown): unknown {
  const constraint = constraintOf(error) as keyof typeof TAKEN | undefined;
  const reason = constraint && TAKEN[constraint];
  return reason ? new Failure(reason) : error;
}

/** Makes a User of its row. */
export function toUser(row: UserRow): User {
  return {
    id: row.id,
    siteId: row.site_id,
    version: row.version,
    email: row.email ?? undefined,
    emailVerified: row.email_verified,
    username: row.username ?? undefined,
    displayName: row.display_name,
    pictureUrl: row.picture_url,
    locale: row.locale,
    roles: row.roles,
    state: row.state,
    mfaEnabled: row.mfa_enabled,
    passwordChangeTime: row.password_change_time ?? undefined,
    externalId: row.external_id ?? undefined,
    metadata: row.metadata ?? undefined,
    origin: toOrigin(row),
    createTime: row.create_time,
    updateTime: row.update_time,
    deleteTime: row.delete_time ?? undefined,
    deletionProtected: row.deletion_protected,
  };
}

function toOrigin(row: UserRow): UserOrigin | undefined {
  if (row.origin_kind === null || row.origin_arrive_time === null) return undefined;
  return {
    kind: row.origin_kind,
    source: row.origin_source ?? "",
    sourceUserId: row.origin_user_id ?? "",
    arriveTime: row.origin_arrive_time,
  };
}
