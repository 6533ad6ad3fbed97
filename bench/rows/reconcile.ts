import { Pool } from "pg";
import { createSignetClient, createUserMirror, type SignetClient } from "../../src/client/index.ts";
import { createReconcileCalls, LEAVES_PER_RANGE } from "../../src/client/reconcile-calls.ts";
import { startAppDatabase } from "../app-database.ts";
import { createPopulation } from "../population.ts";
import type { Row } from "../row.ts";

const RECONCILE = "sync: reconcile 100 differences";
const STALE = 34;
/** Rows with another id: each is a User whom the mirror lacks, and one whom the Site has not. */
const RENAMED = 33;
const DIFFERENCES = STALE + 2 * RENAMED;

const LEAVES = LEAVES_PER_RANGE ** 2;
const LEAVES_PER_CALL = 1_024;
/** The goal is set for a Site of this size: what leaves take does not shrink with the Site. */
const USERS_OF_GOAL = 1_000_000;
const SHARE = 0.01;
const BYTES_MS_MAX = 600_000;

/**
 * What a mirror exchanges with Signet to find 100 Users who differ, and to put them right. Beside
 * it: 1 % of what it takes to ask for the version of every User.
 *
 * Bytes do not come and go with what else the machine does, so it is measured once.
 */
export const reconcile: Row = {
  names: [RECONCILE],
  async measure({ service, resources, userCount }) {
    const site = await createPopulation(service, "reconcile", userCount);
    const pool = new Pool({ connectionString: await startAppDatabase(resources) });
    pool.on("error", () => {}); // The statement under way is rejected besides.
    resources.defer(() => pool.end());
    const client = createSignetClient({ url: service.url, key: site.siteKey });
    resources.defer(() => client.close());
    const samples = [(await reconcileBytes(client, pool)) / 1_024];
    const full = (await fullCompareBytes(client)) / 1_024;
    const yardstick = { name: "1 % of a full compare", samples: [full * SHARE] };
    const figure = { row: RECONCILE, unit: "KiB", samples, yardstick } as const;
    return [userCount < USERS_OF_GOAL ? figure : { ...figure, goal: 1 }];
  },
};

async function reconcileBytes(client: SignetClient, pool: Pool): Promise<number> {
  await using mirror = createUserMirror({ client, pool, table: "mirrored" });
  await mirror.waitUntilFilled({ timeoutMs: BYTES_MS_MAX });
  await pool.query(SPOIL);
  const { missing, extra, stale, repaired, bytes } = await mirror.reconcile();
  if (missing + extra + stale !== DIFFERENCES || repaired !== DIFFERENCES) {
    throw new Error(`found ${missing + extra + stale} differences and repaired ${repaired}`);
  }
  return bytes;
}

/** As nobody can do who does not mean to: past the guard of the table. */
const SPOIL = `
  begin;
  alter table mirrored disable trigger user;
  update mirrored set version = version - 1
   where id in (select id from mirrored order by md5(id::text) limit ${STALE});
  update mirrored set id = gen_random_uuid()
   where id in (select id from mirrored order by md5(id::text) offset ${STALE} limit ${RENAMED});
  alter table mirrored enable trigger user;
  commit`;

async function fullCompareBytes(client: SignetClient): Promise<number> {
  const signal = AbortSignal.timeout(BYTES_MS_MAX);
  const calls = createReconcileCalls({ client, siteId: "", positionMin: () => 0n, signal });
  for (let first = 0; first < LEAVES; first += LEAVES_PER_CALL) {
    await calls.versions(Array.from({ length: LEAVES_PER_CALL }, (_, n) => first + n));
  }
  return calls.cost().bytes;
}
