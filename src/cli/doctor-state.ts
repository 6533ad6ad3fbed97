import { setTimeout as sleep } from "node:timers/promises";
import type { Pool, PoolClient } from "pg";
import { ErrorReason, type MirrorState, reasonOf, type SignetClient } from "../client/index.ts";
import type { MirrorNames } from "../client/mirror-names.ts";
import { readStateRow } from "../client/mirror-state-row.ts";
import { type Finding, fail, ok, skip, warn } from "./finding.ts";

/** What a Mirror holds at one moment. */
interface Holding {
  readonly state: MirrorState;
  /** How long ago its state was last written, in seconds. */
  readonly idleSeconds: number;
  readonly count: bigint;
  readonly xor: bigint;
}

/** A Mirror that is fed writes its state with each checkpoint, every 15 s at the latest. */
const IDLE_SECONDS_MAX = 60;
const TRIES_MAX = 10;
const RETRY_MS = 200;

const RUN = "run `signet sync mirror`, or the app's own mirror, and leave it running";
const RECONCILE = "run `signet sync reconcile --repair` with the same --to and --table";

/** Checks where the Mirror stands, and, with a client, whether it holds what the Site has. */
export async function checkState(
  pool: Pool,
  names: MirrorNames,
  client: SignetClient | undefined,
  siteId: string | undefined,
): Promise<Finding[]> {
  const first = await readHolding(pool, names);
  const phase = phaseFinding(first);
  if (phase.verdict === "fail" || first.state.phase !== "tail") return [phase];
  if (!client) return [phase, skip("mirror.sums", "without a key it cannot be compared")];
  return [phase, await compareSums(pool, names, client, siteId)];
}

function phaseFinding({ state, idleSeconds }: Holding): Finding {
  const { phase, siteId, position } = state;
  switch (phase) {
    case "new":
      return fail("mirror.state", "it was never filled, or is to be filled anew", RUN);
    case "snapshot":
      return warn("mirror.state", "it is being filled, and holds a part of the Users", RUN);
    case "compare":
      return warn("mirror.state", "it is being compared with the Site after a long absence", RUN);
    case "site_deleted":
      return fail("mirror.state", `Site ${siteId} was deleted`, "drop the mirror's tables");
    case "tail": {
      const where = `it mirrors Site ${siteId} and stands at position ${position}`;
      if (idleSeconds <= IDLE_SECONDS_MAX) return ok("mirror.state", `${where}, being fed`);
      const text = `${where}, and nothing has fed it for ${Math.round(idleSeconds)} s`;
      return warn("mirror.state", text, RUN);
    }
  }
}

/** Compares at one position; where the Mirror has not come there yet, it looks again. */
async function compareSums(
  pool: Pool,
  names: MirrorNames,
  { sync }: SignetClient,
  siteId = "",
): Promise<Finding> {
  let behind = 0n;
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    if (tries > 0) await sleep(RETRY_MS);
    const { state, count, xor } = await readHolding(pool, names);
    const request = { siteId, positionMin: state.position, leaves: [0], pageSize: 1 };
    try {
      const { epoch, position, sums } = await sync.compareDigests(request);
      if (epoch !== state.epoch) return otherHistory();
      behind = position - state.position;
      if (behind > 0n || !sums) continue;
      const isEqual = sums.count === count && sums.xor === xor;
      if (isEqual) return ok("mirror.sums", `its ${count} Users are exactly those of the Site`);
      const text = `it is not equal: ${count} Users here, ${sums.count} at Signet`;
      return fail("mirror.sums", text, RECONCILE);
    } catch (error) {
      if (reasonOf(error) === ErrorReason.CURSOR_AHEAD) return otherHistory();
      throw error;
    }
  }
  return warn("mirror.sums", `it is ${behind} Changes behind, and was not compared`, RUN);
}

function otherHistory(): Finding {
  return fail("mirror.sums", "Signet was restored from a backup since it was last fed", RUN);
}

async function readHolding(pool: Pool, names: MirrorNames): Promise<Holding> {
  const db = await pool.connect();
  try {
    await db.query("begin transaction isolation level repeatable read read only");
    const holding = await readInSnapshot(db, names);
    await db.query("commit");
    db.release();
    return holding;
  } catch (error) {
    db.release(true);
    throw error;
  }
}

async function readInSnapshot(db: PoolClient, names: MirrorNames): Promise<Holding> {
  const state = await readStateRow(db, names);
  const { rows } = await db.query<{ count: string; xor: string; idle: string }>(
    `select count(*)::text as count, coalesce(bit_xor(mirror_digest), 0)::text as xor,
            (select extract(epoch from clock_timestamp() - update_time)::text
               from ${names.state} where stream = 'users') as idle
       from ${names.users} where not deleted`,
  );
  const { count = "0", xor = "0", idle = "0" } = rows[0] ?? {};
  return {
    state,
    idleSeconds: Number(idle),
    count: BigInt(count),
    xor: BigInt.asUintN(64, BigInt(xor)),
  };
}
