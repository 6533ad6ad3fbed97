import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { SiteId, UserId } from "../../src/model/id.ts";
import { followChanges } from "../../src/store/changes.ts";
import type { Database } from "../../src/store/database.ts";
import type { Clients } from "./builders.ts";
import { type ChangeGenerator, createChangeGenerator } from "./change-generator.ts";
import { runAsAdmin, type TestDatabase } from "./database.ts";
import { createFollower, type Follower } from "./follower.ts";
import type { Held } from "./site-sums.ts";

/** A run of writers, sequencers and followers that all race each other. */
export interface RaceOptions {
  readonly database: TestDatabase;
  readonly siteId: SiteId;
  /** The same key at each process of the service. */
  readonly processes: readonly Pick<Clients, "sync">[];
  readonly changes: number;
  readonly signal: AbortSignal;
}

/** What a race leaves to be judged. */
export interface RaceResult {
  readonly followers: readonly Follower[];
  /** How many changes were committed while the followers followed. */
  readonly changes: number;
  /** The Site's last position. */
  readonly end: number;
  readonly seconds: number;
}

const WRITERS = 16;
const USERS = 200;
const HOLD_MS_MAX = 20;

/**
 * Has 16 writers commit in another order than they began, with rollbacks and savepoints, while
 * two followers leave and resume at random and one more process numbers changes.
 */
export async function runRace(options: RaceOptions): Promise<RaceResult> {
  const { database, siteId, processes, changes, signal } = options;
  const generator = createChangeGenerator(database.db, siteId);
  const ids = await generator.fill(USERS);
  const followers = ["a", "b"].map((clientId) =>
    createFollower(processes, { clientId, framesMax: 40 }),
  );
  const ended = new AbortController();
  const racing = keepSequencing(database.db, ended.signal);
  const beginMs = performance.now();
  let end = Number.POSITIVE_INFINITY;
  const following = followers.map((follower) => follower.followTo(() => end, signal));
  const counter = { written: 0 };
  const writers = Array.from({ length: WRITERS }, async () => {
    while (counter.written < changes && !signal.aborted) await writeOnce(generator, ids, counter);
  });
  await Promise.all(writers);
  end = USERS + counter.written;
  await Promise.all(following);
  const seconds = (performance.now() - beginMs) / 1_000;
  ended.abort();
  await racing;
  return { followers, changes: counter.written, end, seconds };
}

/** Lists what is wrong after a race: nothing, if every promise of the stream was kept. */
export async function listRaceFaults(
  { adminUrl }: TestDatabase,
  siteId: string,
  { followers, end }: RaceResult,
): Promise<string[]> {
  const held = await listHeld(adminUrl, siteId);
  const { kept, recounted } = await recountHead(adminUrl, siteId);
  const faults = followers.flatMap((follower) => [
    ...follower.faults,
    ...(follower.position() === end ? [] : [`${follower.position()} instead of ${end}`]),
    ...(isDeepStrictEqual(follower.mirror, held) ? [] : ["a mirror differs from the table"]),
  ]);
  if (!isDeepStrictEqual(kept, recounted)) {
    faults.push(`${JSON.stringify(kept)} instead of ${JSON.stringify(recounted)}`);
  }
  return faults;
}

/** Returns every User and tombstone of a Site, as a follower should hold them. */
export async function listHeld(adminUrl: string, siteId: string): Promise<Map<string, Held>> {
  const rows = await runAsAdmin<{ id: string; version: string; deleted: boolean }>(
    adminUrl,
    `select id, version, state = 'deleted' as deleted from signet.users
      where site_id = '${siteId}'`,
  );
  return new Map(
    rows.map(({ id, version, deleted }) => [id, { version: Number(version), deleted }]),
  );
}

/** Where a Site's log stands, as it is kept and as a recount of the tables has it. */
export interface HeadRecount {
  readonly kept: unknown;
  readonly recounted: unknown;
}

/** Counts anew what the sequencer keeps in `site_heads`. */
export async function recountHead(adminUrl: string, siteId: string): Promise<HeadRecount> {
  const [row] = await runAsAdmin<HeadRecount>(
    adminUrl,
    `select (select row_to_json(h) from (
              select site_id, position, users, xor
                from signet.site_heads where site_id = '${siteId}') h) as kept,
            (select row_to_json(r) from (
              select '${siteId}'::uuid as site_id,
                     (select count(*) from signet.changes
                       where site_id = '${siteId}' and position is not null) as position,
                     count(*) as users,
                     coalesce(bit_xor(signet.user_digest(id, version)), 0) as xor
                from signet.users
               where site_id = '${siteId}' and state <> 'deleted') r) as recounted`,
  );
  if (!row) throw new Error("the recount gave no row");
  return row;
}

/** Of all that is begun 5 % is taken back; of what is written 10 % are creations and deletions. */
async function writeOnce(
  generator: ChangeGenerator,
  ids: UserId[],
  counter: { written: number },
): Promise<void> {
  const dice = Math.random();
  const id = ids[Math.floor(Math.random() * ids.length)];
  const hold = Math.random() < 0.5 ? { hold: holdAWhile } : {};
  const options = { savepoint: Math.random() < 0.2, numbers: Math.random() < 0.5, ...hold };
  if (!id || dice < 0.05) {
    await generator.create({ ...options, rollback: true });
  } else if (dice < 0.1) {
    ids.push(await generator.create(options));
    counter.written += 1;
  } else if (dice < 0.15) {
    ids.splice(ids.indexOf(id), 1);
    if (await generator.remove(id, options)) counter.written += 1;
  } else if (await generator.update(id, options)) {
    counter.written += 1;
  }
}

async function holdAWhile(): Promise<void> {
  await sleep(Math.random() * HOLD_MS_MAX);
}

async function keepSequencing(db: Database, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await followChanges({ query: db.validation.acrossSites }, Number.MAX_SAFE_INTEGER, 1);
    await sleep(Math.random() * 5);
  }
}
