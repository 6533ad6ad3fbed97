import type { SiteId, UserId } from "../model/id.ts";
import type { User } from "../model/user.ts";
import type { UserFilter } from "../model/user-filter.ts";
import type { StoredPassword } from "./credentials.ts";
import { type Queryable, sql } from "./sql.ts";
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
  const { role, emailVerified, createTimeFrom, updateTimeFrom, prefix } = filter;
  const emailPrefix = prefix?.of === "email" ? prefix.text : null;
  const usernamePrefix = prefix?.of === "username" ? prefix.text : null;
  const { rows } = await db.query<UserRow & { readonly passes: boolean }>(sql`
    with scanned as materialized (
      select ${USER_COLUMNS},
             coalesce(
               state = any(${filter.states})
               and (${role ?? null}::text is null or ${role ?? null} = any(roles))
               and (${emailVerified ?? null}::boolean is null
                    or email_verified = ${emailVerified ?? null})
               and (${createTimeFrom ?? null}::timestamptz is null
                    or create_time >= ${createTimeFrom ?? null})
               and (${updateTimeFrom ?? null}::timestamptz is null
                    or update_time >= ${updateTimeFrom ?? null})
               and (${emailPrefix}::text is null or starts_with(email, ${emailPrefix}))
               and (${usernamePrefix}::text is null or starts_with(username, ${usernamePrefix})),
               false) as passes
        from signet.users
       where site_id = ${siteId}
         and id > coalesce(${page.after ?? null}::uuid, '00000000-0000-0000-0000-000000000000')
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
  }>(sql`
    select user_id, password_hash, pepper_version
      from signet.credentials
     where site_id = ${siteId} and user_id = any(${ids}::uuid[]) and password_hash is not null`);
  return new Map(
    rows.map((row) => [row.user_id, { phc: row.password_hash, pepperVersion: row.pepper_version }]),
  );
}
