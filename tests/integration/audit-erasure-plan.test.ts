import { afterAll, beforeAll, expect, test } from "vitest";
import type { SiteId, UserId } from "../../src/model/id.ts";
import type { Queryable } from "../../src/store/sql.ts";
import { createBareSite } from "../support/bare-site.ts";
import { createChangeGenerator } from "../support/change-generator.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";

const EVENTS = 20_000;
/** More than a connection needs before it plans without looking at the values. */
const ERASURES = 12;
/** The table alone has some 400; without a plan of its own, an erasure reads up to 20,000. */
const PAGES_MAX = 100;

interface Explained {
  readonly Plan: { readonly "Shared Hit Blocks": number; readonly "Shared Read Blocks": number };
}

let database: TestDatabase;
let siteId: SiteId;

beforeAll(async () => {
  database = await openTestDatabase();
  siteId = await createBareSite(database.db);
});

afterAll(() => database[Symbol.asyncDispose]());

test("an erasure reads little of a log that was short when it was first planned", async () => {
  const generator = createChangeGenerator(database.db, siteId);
  const ids = await generator.fill(2 * ERASURES);
  for (const id of ids) await generator.remove(id);
  const early = ids.splice(0, ERASURES);

  const pages = await database.db.inSite(siteId, async (tx) => {
    for (const id of early) await pagesOfErasure(tx, id); // The log is short, and its plan kept.
    await insertEvents("gen_random_uuid()", `generate_series(1, ${EVENTS})`);
    await insertEvents("id::uuid", `unnest(string_to_array('${ids.join()}', ',')) as id`);
    const counts: number[] = [];
    for (const id of ids) counts.push(await pagesOfErasure(tx, id));
    return counts;
  });

  expect(Math.max(...pages)).toBeLessThan(PAGES_MAX);
  expect(await valuesLeft(ids)).toBe(0);
});

async function pagesOfErasure(tx: Queryable, id: UserId): Promise<number> {
  const { rows } = await tx.query<{ readonly "QUERY PLAN": readonly [Explained] }>({
    text: `explain (analyze, buffers, format json)
           select signet.erase_audit_personal('${id}', 100)`,
  });
  const plan = rows[0]?.["QUERY PLAN"][0].Plan;
  return (plan?.["Shared Hit Blocks"] ?? Infinity) + (plan?.["Shared Read Blocks"] ?? 0);
}

/** A log as one backend makes it: every act is by the same key. */
async function insertEvents(subject: string, source: string): Promise<void> {
  await runAsAdmin(
    database.adminUrl,
    `insert into signet.audit_events
            (site_id, id, kind, actor_kind, actor_id, subject_kind, subject_id, details,
             client_ip, create_time)
     select '${siteId}', gen_random_uuid(), 'user.updated', 'site_key', 'key', 'user',
            ${subject}, '{}', '192.0.2.1', now()
       from ${source}`,
  );
}

async function valuesLeft(ids: readonly UserId[]): Promise<number> {
  const [row] = await runAsAdmin<{ readonly count: number }>(
    database.adminUrl,
    `select count(*)::integer as count from signet.audit_events
      where subject_id = any ('{${ids.join()}}'::uuid[]) and (client_ip <> '' or salt is not null)`,
  );
  return row?.count ?? -1;
}
