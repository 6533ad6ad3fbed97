import { Pool } from "pg";
import { createSignetClient, createUserMirror, type SignetClient } from "../../src/client/index.ts";
import { MIRROR_COLUMNS } from "../../src/client/mirror-columns.ts";
import { startAppDatabase } from "../app-database.ts";
import { createPopulation, type Population } from "../population.ts";
import { fewRounds, playRounds } from "../rounds.ts";
import type { Bench, Row } from "../row.ts";
import { copyTable } from "../yardsticks/copy-table.ts";

const SNAPSHOT = "sync: snapshot into a mirror";
const FILL_MS_MAX = 600_000;

/**
 * How long an empty mirror in PostgreSQL takes until it holds all Users of a large Site. Beside it:
 * COPY of the same rows between the same two servers, into a table with the same columns and
 * indexes, but no trigger.
 */
export const mirrorSnapshot: Row = {
  names: [SNAPSHOT],
  async measure(bench) {
    const { service, resources, userCount } = bench;
    const site = await createPopulation(service, "snapshot", userCount);
    const appUrl = await startAppDatabase(resources);
    const pool = new Pool({ connectionString: appUrl });
    pool.on("error", () => {}); // The statement under way is rejected besides.
    resources.defer(() => pool.end());
    const client = createSignetClient({ url: service.url, key: site.siteKey });
    resources.defer(() => client.close());
    const { signet, copy } = await playRounds(fewRounds(bench.rounds), {
      signet: () => fill(client, pool, userCount),
      copy: () => copyInto(bench, site, appUrl, pool),
    });
    const yardstick = { name: "COPY", samples: copy };
    return [{ row: SNAPSHOT, unit: "ms", samples: signet, yardstick, goal: 3 }];
  },
};

async function fill(client: SignetClient, pool: Pool, userCount: number): Promise<number> {
  await pool.query(CLEAR);
  await pool.query("checkpoint");
  const beginMs = performance.now();
  await using mirror = createUserMirror({ client, pool, table: "mirrored" });
  await mirror.waitUntilFilled({ timeoutMs: FILL_MS_MAX });
  const fillMs = performance.now() - beginMs;
  await requireRows(pool, "mirrored", userCount);
  return fillMs;
}

async function copyInto(
  { service, userCount }: Bench,
  { siteId }: Population,
  toUrl: string,
  pool: Pool,
): Promise<number> {
  await pool.query("drop table if exists copied");
  await pool.query("create table copied (like mirrored including all)");
  await pool.query("checkpoint");
  const columns = [...Object.keys(MIRROR_COLUMNS), "mirror_content"].join(", ");
  const copyMs = await copyTable({
    fromUrl: service.databaseUrl,
    fromStatement: `copy (${published(siteId)}) to stdout`,
    toUrl,
    toStatement: `copy copied (${columns}) from stdin`,
  });
  await requireRows(pool, "copied", userCount);
  return copyMs;
}

/** The rows of the Site as the mirror has them; its own hash of them is left out. */
function published(siteId: string): string {
  return `
    select id, site_id, version, state = 'deleted', state, email, email_verified, username,
           display_name, picture_url, locale, roles, mfa_enabled, password_change_time,
           external_id, metadata, null::jsonb, deletion_protected, create_time, update_time,
           delete_time, 1, '', 0
      from signet.users where site_id = '${siteId}' order by id`;
}

async function requireRows(pool: Pool, table: string, count: number): Promise<void> {
  const { rows } = await pool.query(`select count(*)::integer as count from ${table}`);
  if (rows[0]?.count !== count) throw new Error(`${table} has ${rows[0]?.count} rows of ${count}`);
}

const CLEAR = `
  drop table if exists mirrored, mirrored_state, mirrored_tombstones;
  drop sequence if exists mirrored_refusals`;
