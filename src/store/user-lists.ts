import type { SiteId, UserId } from "../model/id.ts";
import type { User } from "../model/user.ts";
import type { UserFilter } from "../model/user-filter.ts";
import { type Fragment, fragment, type Queryable, sql } from "./sql.ts";
import { toUser, USER_COLUMNS, type UserRow } from "./users.ts";

/** A place in the order of a list: at a User. */
export interface ListPlace {
  readonly id: UserId;
  /** What the list is in order of besides the id, as text; empty: nothing. */
  readonly key: string;
}

/** A User where a list has it. */
export interface ListedUser {
  readonly user: User;
  readonly place: ListPlace;
}

/** What was found on a stretch of a list. */
export interface ScanResult {
  /** How many Users and tombstones the stretch has. */
  readonly scanned: number;
  /** How many of them pass the filter. */
  readonly matching: number;
  /** Where it ends; absent: there was nothing left. */
  readonly end: ListPlace | undefined;
}

/** An index that has the order of a list. */
interface Road {
  /** The table of the index; those of Users are joined by id. */
  readonly table: Fragment;
  /** What the index leaves out, as its definition has it. */
  readonly rows: Fragment;
  readonly order: Fragment;
  readonly key: Fragment;
}

const OF_USERS = { table: fragment`signet.users` };
const BY_ID = { order: fragment`id`, key: fragment`''` };

const ROADS = {
  users_pkey: { ...OF_USERS, ...BY_ID, rows: fragment`true` },
  users_not_active_idx: { ...OF_USERS, ...BY_ID, rows: fragment`state <> 'active'` },
  users_create_time_idx: {
    ...OF_USERS,
    rows: fragment`true`,
    order: fragment`create_time, id`,
    key: fragment`to_json(create_time) #>> '{}'`, // To the microsecond, unlike a Date.
  },
  users_email_prefix_idx: {
    ...OF_USERS,
    rows: fragment`email is not null`,
    order: fragment`email collate "C"`,
    key: fragment`email`,
  },
  users_username_prefix_idx: {
    ...OF_USERS,
    rows: fragment`username is not null`,
    order: fragment`username collate "C"`,
    key: fragment`username`,
  },
} as const satisfies Record<string, Road>;

/** The holders of one role; everybody has `user`, which is not kept there. */
function roadOfRole(role: string): Road {
  return {
    ...BY_ID,
    table: fragment`(select site_id, user_id as id, role from signet.user_roles) r
                    join signet.users using (site_id, id)`,
    rows: fragment`role = ${role}`,
  };
}

/** The least and the greatest character that may follow a name in the order of its bytes. */
const [NEXT_CHARACTER, LAST_CHARACTER] = ["\u0001", "\u{10ffff}"];

/**
 * Lists at most `limit` Users that a filter lets through after `after`, in the order of the road
 * that it takes. It looks at no more than `scanMax` and gives up there: {@link scanUsers} says
 * where that is.
 */
export async function listUsers(
  db: Queryable,
  siteId: SiteId,
  filter: UserFilter,
  page: {
    readonly after: ListPlace | undefined;
    readonly limit: number;
    readonly scanMax: number;
  },
): Promise<ListedUser[]> {
  const road = roadOf(filter);
  const { rows: found } = await db.query<UserRow & { place_key: string }>(sql`
    select ${USER_COLUMNS}, place_key
      from (${stretchOf(siteId, road, boundsOf(filter, page.after), page.scanMax)}) u
     where ${passes(filter)}
     order by ${road.order}
     limit ${page.limit}`);
  return found.map((row) => ({
    user: toUser(row),
    place: { id: row.id, key: row.place_key },
  }));
}

/** Counts what a filter lets through on the `scanMax` Users and tombstones after `after`. */
export async function scanUsers(
  db: Queryable,
  siteId: SiteId,
  filter: UserFilter,
  { after, scanMax }: { readonly after: ListPlace | undefined; readonly scanMax: number },
): Promise<ScanResult> {
  const { rows: found } = await db.query<{
    scanned: number;
    matching: number;
    id: UserId | null;
    place_key: string | null;
  }>(sql`
    select count(*) as scanned,
           count(*) filter (where ${passes(filter)}) as matching,
           (array_agg(id))[count(*)::integer] as id,
           (array_agg(place_key))[count(*)::integer] as place_key
      from (${stretchOf(siteId, roadOf(filter), boundsOf(filter, after), scanMax)}) u`);
  const { scanned = 0, matching = 0, id = null, place_key: last = null } = found[0] ?? {};
  const end = id !== null && last !== null ? { id, key: last } : undefined;
  return { scanned, matching, end };
}

/** The next `scanMax` Users and tombstones of a road. */
function stretchOf(siteId: SiteId, road: Road, from: Bounds, scanMax: number): Fragment {
  return fragment`
    select ${USER_COLUMNS}, ${road.key} as place_key
      from ${road.table}
     where site_id = ${siteId}
       and ${road.rows}
       and (${from.id}::uuid is null or id > ${from.id})
       and (${from.time}::timestamptz is null or create_time >= ${from.time})
       and (${from.timeId}::uuid is null or (create_time, id) > (${from.time}, ${from.timeId}))
       and (${from.email}::text is null or email collate "C" >= ${from.email})
       and (${from.emailEnd}::text is null or email collate "C" < ${from.emailEnd})
       and (${from.username}::text is null or username collate "C" >= ${from.username})
       and (${from.usernameEnd}::text is null or username collate "C" < ${from.usernameEnd})
     order by ${road.order}
     limit ${scanMax}`;
}

/** What a filter asks of a User, whatever the road. */
function passes(filter: UserFilter): Fragment {
  const { states, role = null, emailVerified = null } = filter;
  const { createTimeFrom = null, updateTimeFrom = null } = filter;
  return fragment`
    state = any(${states})
    and (${role}::text is null or ${role} = any(roles))
    and (${emailVerified}::boolean is null or email_verified = ${emailVerified})
    and (${createTimeFrom}::timestamptz is null or create_time >= ${createTimeFrom})
    and (${updateTimeFrom}::timestamptz is null or update_time >= ${updateTimeFrom})`;
}

/** The road with the fewest Users on it that has all that the filter lets through. */
function roadOf({ prefix, createTimeFrom, role, states }: UserFilter): Road {
  if (prefix?.of === "email") return ROADS.users_email_prefix_idx;
  if (prefix?.of === "username") return ROADS.users_username_prefix_idx;
  if (createTimeFrom) return ROADS.users_create_time_idx;
  if (role !== undefined && role !== "user") return roadOfRole(role);
  return states.includes("active") ? ROADS.users_pkey : ROADS.users_not_active_idx;
}

interface Bounds {
  readonly id: UserId | null;
  readonly time: Date | string | null;
  readonly timeId: UserId | null;
  readonly email: string | null;
  readonly emailEnd: string | null;
  readonly username: string | null;
  readonly usernameEnd: string | null;
}

const UNBOUND: Bounds = {
  id: null,
  time: null,
  timeId: null,
  email: null,
  emailEnd: null,
  username: null,
  usernameEnd: null,
};

/** Where the road is entered. A bound that is null is no part of the plan. */
function boundsOf(filter: UserFilter, after: ListPlace | undefined): Bounds {
  const { prefix, createTimeFrom } = filter;
  if (prefix) {
    const from = after ? after.key + NEXT_CHARACTER : prefix.text;
    const end = prefix.text + LAST_CHARACTER;
    return prefix.of === "email"
      ? { ...UNBOUND, email: from, emailEnd: end }
      : { ...UNBOUND, username: from, usernameEnd: end };
  }
  if (createTimeFrom) {
    return { ...UNBOUND, time: after?.key ?? createTimeFrom, timeId: after?.id ?? null };
  }
  return { ...UNBOUND, id: after?.id ?? null };
}
