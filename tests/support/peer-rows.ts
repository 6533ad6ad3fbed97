import { runAsAdmin } from "./database.ts";

/**
 * Puts a row into each table about Peers, as if one had brought a User: to write them takes a
 * second Signet, which tests of the tables alone do without.
 */
export async function fillPeerTables(
  adminUrl: string,
  { siteId, userId }: { readonly siteId: string; readonly userId: string },
): Promise<void> {
  const site = `'${siteId}'`;
  await runAsAdmin(
    adminUrl,
    `insert into signet.peer_flights (site_id, identifier_digest, flight_id, expire_time)
       values (${site}, '\\x01', gen_random_uuid(), now() + interval '1 day');
     insert into signet.peer_challenges (site_id, token_hash, peer, state, audiences, client_ip,
                                         client_user_agent, expire_time)
       values (${site}, '\\x01', 'shop', '\\x01', '{}', '', '', now() + interval '1 day');
     insert into signet.peer_copies (site_id, peer, source_user_id, user_id, source_version)
       values (${site}, 'shop', gen_random_uuid(), '${userId}', 1);
     insert into signet.peer_syncs (site_id, peer, scope, cursor, position, head)
       values (${site}, 'shop', '', '', 1, 1);
     insert into signet.peer_conflicts (site_id, peer, source_user_id)
       values (${site}, 'shop', gen_random_uuid())`,
  );
}
