import { Client } from "pg";
import { createSignetClient, Scope } from "../src/client/index.ts";
import type { BenchService } from "./bench-service.ts";

/** A Site with many Users. */
export interface Population {
  readonly siteId: string;
  /** May follow the Site, and read its Users. */
  readonly siteKey: string;
}

/**
 * Makes a Site with so many Users.
 *
 * They are written past the service, without Changes, as a restored backup has them: one at a time
 * a million of them would take longer than all that is measured.
 */
export async function createPopulation(
  service: BenchService,
  name: string,
  userCount: number,
): Promise<Population> {
  const operator = createSignetClient({ url: service.url, key: service.operatorKey });
  try {
    const domain = `${name}.example.com`;
    const created = { name, domains: [domain], frontendUrl: `https://${domain}` };
    const { site } = await operator.sites.createSite(created);
    const siteId = site?.id ?? "";
    const scopes = [Scope.SYNC, Scope.USERS_READ];
    const { secret } = await operator.sites.createApiKey({ siteId, label: name, scopes });
    await addUsers(service, siteId, userCount);
    return { siteId, siteKey: secret };
  } finally {
    operator.close();
  }
}

/** Adds so many Users to a Site, in the same way. */
export async function addUsers(
  { databaseUrl }: Pick<BenchService, "databaseUrl">,
  siteId: string,
  userCount: number,
): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query("set session_replication_role = replica"); // The guards want Changes.
    for (let from = 1; from <= userCount; from += USERS_AT_ONCE) {
      const until = Math.min(userCount, from + USERS_AT_ONCE - 1);
      await client.query(INSERT, [siteId, from, until]);
    }
    await client.query(RECOUNT, [siteId]);
    await client.query("vacuum (analyze) signet.users");
    await client.query("checkpoint"); // Or else it would fall into the first round.
  } finally {
    await client.end();
  }
}

/** So that the log of the server is written out between statements. */
const USERS_AT_ONCE = 500_000;

const INSERT = `
  insert into signet.users
         (site_id, id, version, email, email_verified, username, display_name, picture_url, locale,
          roles, state, mfa_enabled, password_change_time, metadata, create_time, update_time,
          deletion_protected)
  select $1, uuidv7(), 1, 'user' || n || '@example.com', true, 'user' || n, 'User Number ' || n,
         'https://pictures.example.com/' || n || '.png', 'en', '{user}', 'active', false, time,
         case when n % 4 = 0 then '{"plan":"free"}'::jsonb end, time, time, false
    from generate_series($2::integer, $3::integer) as n, date_trunc('milliseconds', now()) as time`;

const RECOUNT = `
  insert into signet.site_heads as h (site_id, position, users, xor)
  select site_id, 0, count(*), bit_xor(signet.user_digest(id, version))
    from signet.users where site_id = $1 group by site_id
      on conflict (site_id) do update set users = excluded.users, xor = excluded.xor`;
