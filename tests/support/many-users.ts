import { runAsAdmin } from "./database.ts";

/** What {@link fillUsers} makes. */
export interface ManyUsers {
  readonly siteId: string;
  readonly users: number;
  /** Whether PostgreSQL looks at the tables afterwards; default true. */
  readonly analyze?: boolean;
}

/**
 * Fills a Site with Users, straight into the table: the guards of changes are not the subject, and
 * cost a minute for so many. They were created one after the other, 20 ms apart, until now.
 *
 * Every second one is a `member` with a verified address, one of 10,000 an `admin`, one of 20,000
 * an `editor`, one of 5,000 disabled.
 */
export async function fillUsers(
  adminUrl: string,
  { siteId, users, analyze = true }: ManyUsers,
): Promise<void> {
  await runAsAdmin(
    adminUrl,
    `set session_replication_role = replica;
     insert into signet.users
            (site_id, id, version, email, email_verified, username, display_name, picture_url,
             locale, roles, state, mfa_enabled, external_id, create_time, update_time,
             deletion_protected)
     select '${siteId}',
            (lpad(to_hex(extract(epoch from created)::bigint * 1000), 12, '0') || '7000'
              || '8000' || lpad(to_hex(n), 12, '0'))::uuid,
            1, 'user' || n || '@example.com', n % 2 = 0, 'name' || n, 'User ' || n, '', '',
            case when n % 10000 = 0 then '{admin,user}' when n % 20000 = 1 then '{editor}'
                 when n % 2 = 0 then '{member,user}' else '{user}' end::text[],
            case when n % 5000 = 0 then 'disabled' else 'active' end, false, 'x' || n, created,
            created, false
       from (select n, now() - (${users} - n) * interval '20 ms' as created
               from generate_series(1, ${users}) n) made;
     insert into signet.user_roles (site_id, role, user_id)
     select site_id, role, id from signet.users, unnest(roles) role
      where site_id = '${siteId}' and role <> 'user';
     ${analyze ? "analyze signet.users, signet.user_roles" : ""}`,
  );
}
