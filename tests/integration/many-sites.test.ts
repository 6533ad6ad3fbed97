import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newId, type SiteId } from "../../src/model/id.ts";
import { createBareSite } from "../support/bare-site.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";

const SITES = 10_000;

/** What runs across Sites, be it for each call, for a list or every minute. */
const STATEMENTS = {
  "the Site of a domain": "select signet.site_id_of_domain('s7.example.com')",
  "whether an origin is known": "select signet.is_public_origin('https://s7.example.com')",
  "the first page of the list": "select * from signet.list_sites('', '', null, 10)",
  "a name in the list": "select * from signet.list_sites('SITE 77.', '', null, 10)",
  "a domain in the list": "select * from signet.list_sites('', 's7.example.com', null, 10)",
  "what is to be numbered": "select * from signet.follow_changes(1000000000, 1)",
  "what is to be chained": "select signet.chain_audit_events(100)",
  "which keys are due": "select signet.sites_with_due_keys(now() - interval '90 days', 100)",
  "which Sites are to be erased": "select signet.list_erasing_site_ids(null, 1)",
  "what has expired": "select signet.remove_expired(7, 100)",
  "which tombstones are to go": "select signet.remove_tombstones(90, 100)",
  "uses of keys": `select signet.note_key_uses('{${newId()}}', '{${newId()}}', now())`,
} as const;

type Name = keyof typeof STATEMENTS;
const NAMES = Object.keys(STATEMENTS) as Name[];

let database: TestDatabase;
let fewSites: ReadonlyMap<Name, number>;
let manySites: ReadonlyMap<Name, number>;

beforeAll(async () => {
  database = await openTestDatabase();
  const model = await createBareSite(database.db);
  await addSites(model, 20);
  fewSites = await pagesOfAll();
  await addSites(model, SITES);
  manySites = await pagesOfAll();
});

afterAll(() => database[Symbol.asyncDispose]());

test.each(NAMES)("%s is as near with 10,000 Sites as with a few", (name) => {
  const [few = 0, many = 0] = [fewSites.get(name), manySites.get(name)];

  // An index is a level or two deeper, and a plan looks at statistics; tables have hundreds.
  expect(many).toBeLessThanOrEqual(few + 60);
});

test("the Sites fill enough pages for that to tell anything", async () => {
  const [{ pages = 0 } = {}] = await asAdmin<{ pages: number }>(
    "select min(pg_relation_size(t) / 8192)::int as pages from unnest(array[" +
      "'signet.sites', 'signet.signing_keys', 'signet.api_keys']::regclass[]) t",
  );

  expect(pages).toBeGreaterThan(150);
});

const asAdmin = <Row>(statement: string) => runAsAdmin<Row>(database.adminUrl, statement);

/** Adds Sites with a domain, an origin, two signing keys and a site key each. */
async function addSites(model: SiteId, count: number): Promise<void> {
  await asAdmin(`
    create temp table made as
      select n, gen_random_uuid() as id from generate_series(1, ${count}) n;
    insert into signet.sites
      select (jsonb_populate_record(s, jsonb_build_object(
                'id', m.id, 'name', 'Site ' || m.n || '.', 'public_calls', true,
                'origins', jsonb_build_array('https://s' || m.n || '.example.com')))).*
        from signet.sites s, made m where s.id = '${model}';
    insert into signet.site_domains
      select 's' || n || '.example.com', id, 0 from made on conflict do nothing;
    insert into signet.site_heads (site_id, position, users, xor) select id, 0, 0, 0 from made;
    insert into signet.signing_keys
           (site_id, id, algorithm, public_jwk, private_sealed, state, create_time, activate_time)
      select id, gen_random_uuid(), 'ES256', '{}', sha256(id::text::bytea), state, now(),
             case state when 'current' then now() end
        from made, unnest(array['current', 'next']) state;
    insert into signet.api_keys
           (site_id, id, key_hash, label, scopes, user_fields, create_time)
      select id, gen_random_uuid(), sha256(id::text::bytea), 'x', '{auth}', '{}', now() from made;
    drop table made;
    analyze`);
}

/** On one connection, which knows the tables and functions before it counts. */
async function pagesOfAll(): Promise<Map<Name, number>> {
  const pages = new Map<Name, number>();
  const client = new Client({ connectionString: database.adminUrl });
  await client.connect();
  try {
    for (const name of NAMES) {
      for (let n = 0; n < 3; n += 1) await client.query(STATEMENTS[name]);
      pages.set(name, await pagesOf(client, STATEMENTS[name]));
    }
    return pages;
  } finally {
    await client.end();
  }
}

interface Explained {
  readonly "QUERY PLAN": readonly [
    { readonly Plan: Readonly<Record<"Shared Hit Blocks" | "Shared Read Blocks", number>> },
  ];
}

/** How many pages a statement looks at, in the functions that it calls too. */
async function pagesOf(client: Client, statement: string): Promise<number> {
  const { rows } = await client.query<Explained>(
    `explain (analyze, buffers, timing off, format json) ${statement}`,
  );
  const plan = rows[0]?.["QUERY PLAN"][0].Plan;
  if (!plan) throw new Error("no plan");
  return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
}
