import type { SiteId, UserId } from "../model/id.ts";
import type { User } from "../model/user.ts";
import type { UserFilter } from "../model/user-filter.ts";
import type { StoredPassword } from "./credentials.ts";
import { type Fragment, fragment, indexed, type Queryable } from "./sql.ts";
import { passes } from "./user-lists.ts";
import { toUser, USER_COLUMNS, type UserRow } from "./users.ts";

/** A stretch of the Users of a Site, in the order of their ids. */
export interface ExportStretch {
  readonly users: readonly User[];
  /** The last User or tombstone that was looked at; absent: there was nothing left. */
  readonly end: UserId | undefined;
}

/**
 * Reads at most `limit` Users that a filter lets through after `after`, and looks at no more than
 * `scanMax` for them. `users_pkey` serves it without a sort, whatever the filter.
 */
export async function readExportStretch(
  db: Queryable,
  siteId: SiteId,
  filter: UserFilter,
  page: { readonly after: UserId | undefined; readonly limit: number; readonly scanMax: number },
): Promise<ExportStretch> {
  const { rows } = await db.query<UserRow & { readonly passes: boolean }>(indexed`
    with scanned as materialized (
      select ${USER_COLUMNS},
             coalesce(${passes(filter)} and ${hasPrefix(filter)}, false) as passes
        from signet.users
       where site_id = ${siteId}
         and ${page.after ? fragment`id > ${page.after}` : fragment`true`}
       order by id
       limit ${page.scanMax}
    )
    (select ${USER_COLUMNS}, passes from scanned where passes order by id limit ${page.limit})
    union all
    (select ${USER_COLUMNS}, passes
       from (select * from scanned order by id desc limit 1) last_scanned
      where not passes)`);
  const users = rows.filter(({ passes }) => passes).map(toUser);
  return { users, end: users.length === page.limit ? users.at(-1)?.id : rows.at(-1)?.id };
}

function hasPrefix({ prefix }: UserFilter): Fragment {
  if (!prefix) return fragment`true`;
  const name = prefix.of === "email" ? fragment`email` : fragment`username`;
  return fragment`starts_with(${name}, ${prefix.text})`;
}

/** Finds the stored passwords of Users; those without one are left out. */
export async function findPasswords(
  db: Queryable,
  siteId: SiteId,
  ids: readonly UserId[],
): Promise<ReadonlyMap<UserId, StoredPassword>> {
  const { rows } = await db.query<{
    user_id: UserId;
    password_hash: string;
    pepper_version: number;
  }>(indexed`
    select user_id, password_hash, pepper_version
      from signet.credentials
     where site_id = ${siteId} and user_id = any(${ids}::uuid[]) and password_hash is not null`);
  return new Map(
    rows.map((row) => [row.user_id, { phc: row.password_hash, pepperVersion: row.pepper_version }]),
  );
}
