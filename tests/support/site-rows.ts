import { setTimeout as sleep } from "node:timers/promises";
import { runAsAdmin } from "./database.ts";
import { until } from "./waiting.ts";

/**
 * Returns a digest of all that the database holds of a Site, table by table: every row with its
 * `site_id`, and the jobs that name it. Tables that later migrations add are among them; the
 * outbox is not, since its rows are in the log at once and go when the log is trimmed.
 */
export async function digestSite(
  adminUrl: string,
  siteId: string,
): Promise<Readonly<Record<string, string>>> {
  const tables = await runAsAdmin<{ name: string; column: string }>(
    adminUrl,
    `select c.oid::regclass::text as name,
            case when c.relname = 'sites' then 'id' else 'site_id' end as column
       from pg_class c
      where c.relnamespace = 'signet'::regnamespace and c.relkind in ('r', 'p')
        and not c.relispartition and c.relname <> 'change_outbox'
        and (c.relname = 'sites' or exists (
              select from pg_attribute a
               where a.attrelid = c.oid and a.attname = 'site_id' and not a.attisdropped))
      order by 1`,
  );
  const parts = tables.map(
    ({ name, column }) => `
      select '${name}' as name, count(*) || ':' || coalesce(
               md5(string_agg(md5(t::text), '' order by md5(t::text))), '') as digest
        from ${name} t where ${column} = '${siteId}'`,
  );
  const rows = await runAsAdmin<{ name: string; digest: string }>(
    adminUrl,
    `${parts.join(" union all ")}
     union all
     select 'jobs', count(*)::text from graphile_worker._private_jobs
      where payload::text like '%${siteId}%'
     order by 1`,
  );
  return Object.fromEntries(rows.map(({ name, digest }) => [name, digest]));
}

const SETTLED_LOOKS = 10;
const LOOK_MS = 250;
const SETTLE_MS_MAX = 60_000;

/** Waits until nothing of a Site moves any more: numbers, chains and mails come after their act. */
export async function settledRows(
  adminUrl: string,
  siteId: string,
): Promise<Readonly<Record<string, string>>> {
  let last = "";
  let still = 0;
  return await until(async () => {
    const rows = await digestSite(adminUrl, siteId);
    still = JSON.stringify(rows) === last ? still + 1 : 0;
    last = JSON.stringify(rows);
    await sleep(LOOK_MS);
    return still >= SETTLED_LOOKS ? rows : undefined;
  }, SETTLE_MS_MAX);
}
