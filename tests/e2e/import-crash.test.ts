import { Pool } from "pg";
import { afterAll, expect, test } from "vitest";
import { createSignetClient, createUserMirror } from "../../src/client/index.ts";
import { runAsAdmin } from "../support/database.ts";
import { importRows } from "../support/imports.ts";
import { openSiteOnTwoProcesses } from "../support/site-on-two-processes.ts";

const ROWS = 4_000;
const MIRROR_MS_MAX = 60_000;

const opened = await openSiteOnTwoProcesses();
afterAll(() => opened[Symbol.asyncDispose]());

test("an import that dies amid its rows is completed elsewhere, each User once", async () => {
  const { services, backends, database, site } = opened;
  const rows = Array.from({ length: ROWS }, (_, n) => ({
    externalId: `legacy-${n}`,
    email: `user${n}@example.com`,
    username: `user${n}`,
  }));

  const [answered] = await Promise.all([
    importUntilKilled(rows.map((row, n) => ({ ...row, row: BigInt(n + 1) }))),
    // The same file at the other process at the same time, the other way round.
    importRows(backends[1], rows.slice(1_000, 2_000).toReversed(), {}, 50),
  ]);
  const { count: before } = await backends[1].users.countUsers({});
  const results = await importRows(backends[1], rows);

  expect(services[0].exitCode()).not.toBe(undefined);
  expect(answered).toBeGreaterThan(0);
  expect(answered).toBeLessThan(ROWS);
  expect(Number(before)).toBeGreaterThanOrEqual(answered);
  expect(results.filter(({ outcome }) => outcome === "REFUSED")).toEqual([]);
  expect(results.filter(({ outcome }) => outcome === "CREATED")).toHaveLength(
    ROWS - Number(before),
  );
  expect((await backends[1].users.countUsers({})).count).toBe(BigInt(ROWS));
  expect(await mirroredUsers(services[1].url, site.key)).toEqual(
    rows.map(({ email }) => email).toSorted(),
  );
  const [row] = await runAsAdmin<{ changes: number; users: number }>(
    database.adminUrl,
    `select count(*)::integer as changes, count(distinct user_id)::integer as users
       from signet.changes where site_id = '${site.siteId}' and position is not null`,
  );
  expect(row).toEqual({ changes: ROWS, users: ROWS });
});

/** Kills the first process at its first results; returns how many rows had one by then. */
async function importUntilKilled(rows: readonly { readonly row: bigint }[]): Promise<number> {
  async function* messages() {
    yield { options: { source: "test" } };
    for (let n = 0; n < rows.length; n += 100) yield { rows: rows.slice(n, n + 100) };
  }
  let answered = 0;
  const read = async () => {
    for await (const { results } of opened.backends[0].users.importUsers(messages())) {
      answered += results.length;
      void opened.services[0].stop("SIGKILL");
    }
  };
  await read().catch(() => undefined);
  return answered;
}

/** Fills a mirror of the Site and returns the addresses in it. */
async function mirroredUsers(url: string, key: string): Promise<readonly string[]> {
  const client = createSignetClient({ url, key });
  const pool = new Pool({ connectionString: opened.database.adminUrl });
  try {
    await using mirror = createUserMirror({ client, pool, table: "mirrored" });
    await mirror.waitUntilFilled({ timeoutMs: MIRROR_MS_MAX });
    const { rows } = await pool.query(
      "select email from mirrored where not deleted order by email",
    );
    return rows.map(({ email }) => String(email)).toSorted();
  } finally {
    client.close();
    await pool.end();
  }
}
