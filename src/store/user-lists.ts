import type { SiteId, UserId } from "../model/id.ts";
import type { User } from "../model/user.ts";
import type { UserFilter } from "../model/user-filter.ts";
import { type Fragment, fragment, indexed, type Queryable } from "./sql.ts";
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

/** An index of Users that has the order of a list. */
interface Road {
  /** What the index leaves out, as its definition has it. */
  readonly rows: Fragment;
  readonly order: Fragment;
  readonly key: Fragment;
}

const BY_ID = { order: fragment`id`, key: fragment`''` };

const ROADS = {
  users_pkey: { ...BY_ID, rows: fragment`true` },
  users_not_active_idx: { ...BY_ID, rows: fragment`state <> 'active'` },
  users_create_time_idx: {
    rows: fragment`true`,
    order: fragment`create_time, id`,
    key: fragment`to_json(create_time) #>> '{}'`, // To the microsecond, unlike a Date.
  },
  users_email_prefix_idx: {
    rows: fragment`email is not null`,
    order: fragment`email collate "C"`,
    key: fragment`email`,
  },
  users_username_prefix_idx: {
    rows: fragment`username is not null`,
    order: fragment`username collate "C"`,
    key: fragment`username`,
  },
} as const satisfies Record<string, Road>;

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
  const { rows: found } = await db.query<UserRow & { place_key: string }>(indexed`
    select ${USER_COLUMNS}, place_key
      from (${stretchOf(siteId, filter, page)}) u
     where ${passes(filter)}
     order by ${roadOf(filter).order}
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
  page: StretchPage,
): Promise<ScanResult> {
  const { rows: found } = await db.query<{
    scanned: number;
    matching: number;
    id: UserId | null;
    place_key: string | null;
  }>(indexed`
    select count(*) as scanned,
           count(*) filter (where ${passes(filter)}) as matching,
           (array_agg(id))[count(*)::integer] as id,
           (array_agg(place_key))[count(*)::integer] as place_key
      from (${stretchOf(siteId, filter, page)}) u`);
  const { scanned = 0, matching = 0, id = null, place_key: last = null } = found[0] ?? {};
  const end = id !== null && last !== null ? { id, key: last } : undefined;
  return { scanned, matching, end };
}

/** What a filter asks of a User, besides how its name begins. */
export function passes({
  states,
  role,
  emailVerified,
  createTimeFrom,
  updateTimeFrom,
}: UserFilter): Fragment {
  const every = fragment`true`;
  return fragment`
    state = any(${states})
    and ${role === undefined ? every : fragment`${role} = any(roles)`}
    and ${emailVerified === undefined ? every : fragment`email_verified = ${emailVerified}`}
    and ${createTimeFrom ? fragment`create_time >= ${createTimeFrom}` : every}
    and ${updateTimeFrom ? fragment`update_time >= ${updateTimeFrom}` : every}`;
}

interface StretchPage {
  readonly after: ListPlace | undefined;
  readonly scanMax: number;
}

/** The next `scanMax` Users and tombstones of the road of a filter. */
function stretchOf(siteId: SiteId, filter: UserFilter, page: StretchPage): Fragment {
  const { role } = filter;
  if (role !== undefined && isRoadOfRole(filter)) return holdersOf(siteId, role, page);
  const road = roadOf(filter);
  return fragment`
    select ${USER_COLUMNS}, ${road.key} as place_key
      from signet.users
     where site_id = ${siteId}
       and ${road.rows}
       and ${boundsOf(filter, page.after)}
     order by ${road.order}
     limit ${page.scanMax}`;
}

/**
 * The next holders of one role. Each is looked up by itself: a join would be free to go through all
 * Users of the Site.
 */
function holdersOf(siteId: SiteId, role: string, { after, scanMax }: StretchPage): Fragment {
  return fragment`
    select ${USER_COLUMNS}, '' as place_key
      from (select user_id
              from signet.user_roles
             where site_id = ${siteId} and role = ${role}
               and ${after ? fragment`user_id > ${after.id}` : fragment`true`}
             order by user_id
             limit ${scanMax}) named
     cross join lateral (
       select ${USER_COLUMNS} from signet.users
        where site_id = ${siteId} and id = named.user_id limit 1) holder
     where id = user_id -- So that the order is known to be the same.
     order by id`;
}

/** The road with the fewest Users on it that has all that the filter lets through. */
function roadOf({ prefix, createTimeFrom, states }: UserFilter): Road {
  if (prefix?.of === "email") return ROADS.users_email_prefix_idx;
  if (prefix?.of === "username") return ROADS.users_username_prefix_idx;
  if (createTimeFrom) return ROADS.users_create_time_idx;
  return states.includes("active") ? ROADS.users_pkey : ROADS.users_not_active_idx;
}

/** Whether the holders of its role are fewer still; everybody has `user`, which is not kept. */
function isRoadOfRole({ prefix, createTimeFrom, role }: UserFilter): boolean {
  return !prefix && !createTimeFrom && role !== undefined && role !== "user";
}

/** Where the road is entered, and where it is left. */
function boundsOf({ prefix, createTimeFrom }: UserFilter, after: ListPlace | undefined): Fragment {
  if (prefix) {
    const name = prefix.of === "email" ? fragment`email` : fragment`username`;
    const from = after ? after.key + NEXT_CHARACTER : prefix.text;
    return fragment`${name} collate "C" >= ${from}
                and ${name} collate "C" < ${prefix.text + LAST_CHARACTER}`;
  }
  if (createTimeFrom) {
    return after
      ? fragment`(create_time, id) > (${after.key}, ${after.id})`
      : fragment`create_time >= ${createTimeFrom}`;
  }
  return after ? fragment`id > ${after.id}` : fragment`true`;
}
