import type { SiteId } from "../../src/model/id.ts";
import { runAsAdmin } from "./database.ts";
import { fillUsers } from "./many-users.ts";

/**
 * Fills a Site with Users, and for each of them with a row of each kind that grows with them,
 * straight into the tables. PostgreSQL is not told to look at them.
 */
export async function growSite(adminUrl: string, siteId: SiteId, users: number): Promise<void> {
  await fillUsers(adminUrl, { siteId, users, analyze: false });
  await runAsAdmin(
    adminUrl,
    `set session_replication_role = replica;
     insert into signet.credentials (site_id, user_id)
     select site_id, id from signet.users where site_id = '${siteId}';
     insert into signet.sessions
            (site_id, id, user_id, audiences, client_ip, client_user_agent, amr, auth_time,
             create_time, last_refresh_time, idle_expire_time, absolute_expire_time)
     select site_id, gen_random_uuid(), id, '{}', '', '', '{}', now(), now(), now(),
            now() + interval '1 day', now() + interval '1 day'
       from signet.users where site_id = '${siteId}';
     insert into signet.refresh_tokens (site_id, token_hash, session_id, create_time)
     select site_id, sha256(id::text::bytea), id, now()
       from signet.sessions where site_id = '${siteId}';
     insert into signet.known_devices (site_id, user_id, device_hash, create_time, last_login_time)
     select site_id, id, sha256(id::text::bytea), now(), now()
       from signet.users where site_id = '${siteId}';
     insert into signet.login_attempts (site_id, id, user_id, flow, outcome, create_time)
     select site_id, gen_random_uuid(), id, 'login', 'succeeded', now()
       from signet.users where site_id = '${siteId}'`,
  );
  await fillLogs(adminUrl, siteId);
}

/** A Change of each User, and an event in the audit log. */
async function fillLogs(adminUrl: string, siteId: SiteId): Promise<void> {
  await runAsAdmin(
    adminUrl,
    `set session_replication_role = replica;
     insert into signet.changes
            (pos, site_id, position, kind, further_kinds, user_id, version, body, bulk, commit_time)
     select (select coalesce(max(pos), 0) from signet.changes) + row_number() over (order by id),
            site_id, row_number() over (order by id), 'user_created', '{}', id, 1, '', true, now()
       from signet.users where site_id = '${siteId}';
     insert into signet.audit_events
            (site_id, id, kind, actor_kind, actor_id, subject_kind, subject_id, details, client_ip,
             create_time)
     select site_id, gen_random_uuid(),
            case when position % 1000 = 0 then 'user.updated' else 'user.created' end, 'site_key',
            'key' || position % 3, 'user', user_id, '{}', '', now()
       from signet.changes where site_id = '${siteId}';
     insert into signet.audit_links (site_id, sequence, event_id, record, previous_hash, hash)
     select site_id, row_number() over (order by id), id, '', '', ''
       from signet.audit_events where site_id = '${siteId}'`,
  );
}
