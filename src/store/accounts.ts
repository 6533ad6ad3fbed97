import { newId, type SiteId, type UserId } from "../model/id.ts";
import type { User, UserRef } from "../model/user.ts";
import { type Credentials, type CredentialsRow, toCredentials } from "./credentials.ts";
import { type Fragment, fragment, hot, type Reader } from "./sql.ts";
import { isReferredTo, toUser, USER_COLUMNS, type UserRow } from "./users.ts";

/** A User and what it signs in with. */
export interface Account {
  readonly user: User;
  readonly credentials: Credentials;
}

/**
 * Finds the account that a name belongs to. For a name that nobody has, the same work is done:
 * something is looked up to sign in with.
 */
export async function findAccountBy(
  db: Reader,
  siteId: SiteId,
  ref: UserRef,
): Promise<Account | undefined> {
  return await findAccountWhere(db, siteId, isReferredTo(ref));
}

/** Finds the account that a refresh token belongs to, used or not. */
export async function findAccountOfRefreshToken(
  db: Reader,
  siteId: SiteId,
  tokenHash: Buffer,
): Promise<Account | undefined> {
  return await findAccountWhere(
    db,
    siteId,
    fragment`id = (select s.user_id from signet.refresh_tokens t
                     join signet.sessions s on s.site_id = t.site_id and s.id = t.session_id
                    where t.site_id = ${siteId} and t.token_hash = ${tokenHash})`,
  );
}

/**
 * Without `offset 0`, which keeps the two apart, the plan that stays prepared may be to join all
 * credentials of the Site.
 */
async function findAccountWhere(
  db: Reader,
  siteId: SiteId,
  condition: Fragment,
): Promise<Account | undefined> {
  const { rows } = await db.query<(UserRow & CredentialsRow) | { readonly id: null }>(hot`
    select ${USER_COLUMNS}, password_hash, pepper_version, generation
      from (select) as one
      left join (select ${USER_COLUMNS} from signet.users
                  where site_id = ${siteId} and ${condition}) as named on true
      left join lateral (select password_hash, pepper_version, generation
                           from signet.credentials
                          where credentials.site_id = ${siteId}
                            and user_id = coalesce(named.id, ${newId<UserId>()})
                         offset 0) as held on true`);
  const [row] = rows;
  if (!row || row.id === null || row.generation === null) return undefined;
  return { user: toUser(row), credentials: toCredentials(row) };
}
