import { pino } from "pino";
import type { SiteId, UserId } from "../../src/model/id.ts";
import { createDatabase, type Database } from "../../src/store/database.ts";
import { enqueue, hot, type Queryable, sql } from "../../src/store/sql.ts";
import { createPopulation } from "../population.ts";
import { playRounds } from "../rounds.ts";
import type { Row } from "../row.ts";

const THROUGHPUT = "sync: write throughput with changes";
const WRITERS = 16;
const USERS = 1_600;
/** About as long as that of a User without metadata; nobody follows the Site and reads it. */
const BODY = Buffer.alloc(250);

/**
 * Updates of Users a second by 16 writers, each in a transaction like that of UpdateUser,
 * while the service numbers the Changes. Beside it: the same transactions on a copy of
 * the table, with the same indexes, but without Changes and the triggers that insist on them.
 */
export const writeThroughput: Row = {
  names: [THROUGHPUT],
  async measure({ service, resources, rounds, roundMs }) {
    const { siteId } = await createPopulation(service, "writes", USERS);
    const log = pino({ level: "silent" });
    const db = createDatabase({ url: service.databaseUrl, poolMax: WRITERS, log });
    resources.defer(() => db.close());
    const place = { db, siteId: siteId as SiteId }; // The service has made it.
    await copyUsers(place);
    const ids = await listIds(place);
    const { signet, plain } = await playRounds(rounds, {
      signet: () => countWrites(place, ids, roundMs, updateWithChange),
      plain: () => countWrites(place, ids, roundMs, updatePlain),
    });
    const yardstick = { name: "without changes", samples: plain };
    return [{ row: THROUGHPUT, unit: "writes/s", samples: signet, yardstick, goal: 0.8 }];
  },
};

interface Place {
  readonly db: Database;
  readonly siteId: SiteId;
}

type Update = (tx: Queryable, siteId: SiteId, id: UserId, name: string) => Promise<void>;

/** Each writer has Users of its own, since two that wait for each other measure nothing. */
async function countWrites(
  { db, siteId }: Place,
  ids: readonly UserId[],
  ms: number,
  update: Update,
): Promise<number> {
  const beginMs = performance.now();
  let writes = 0;
  const writer = async (own: readonly UserId[]): Promise<void> => {
    for (let n = 0; performance.now() - beginMs < ms; n += 1) {
      const id = own[n % own.length];
      if (id) await db.inSite(siteId, (tx) => update(tx, siteId, id, `Name ${n} ${beginMs}`));
      writes += 1;
    }
  };
  const writers = Array.from({ length: WRITERS }, (_, w) =>
    writer(ids.filter((_, n) => n % WRITERS === w)),
  );
  await Promise.all(writers);
  return writes / ((performance.now() - beginMs) / 1_000);
}

/** As UpdateUser does it; the body is made beforehand, since the yardstick has none to make. */
async function updateWithChange(
  tx: Queryable,
  siteId: SiteId,
  id: UserId,
  displayName: string,
): Promise<void> {
  const { rows } = await tx.query<{ version: number }>(hot`
    select version from signet.users where site_id = ${siteId} and id = ${id} for no key update`);
  const version = rows[0]?.version ?? 0;
  const now = new Date();
  const statement = hot`
    with logged as (
      insert into signet.change_outbox
             (site_id, kind, further_kinds, user_id, version, previous_version, body, bulk,
              commit_time)
      values (${siteId}, 'user_updated', '{}', ${id}, ${version + 1}, ${version}, ${BODY}, false,
              ${now}))
    update signet.users
       set version = ${version + 1}, display_name = ${displayName}, update_time = ${now}
     where site_id = ${siteId} and id = ${id}`;
  await enqueue(tx, statement);
}

async function updatePlain(
  tx: Queryable,
  siteId: SiteId,
  id: UserId,
  displayName: string,
): Promise<void> {
  const { rows } = await tx.query<{ version: number }>(hot`
    select version from public.copied_users
     where site_id = ${siteId} and id = ${id} for no key update`);
  const version = rows[0]?.version ?? 0;
  const statement = hot`
    update public.copied_users
       set version = ${version + 1}, display_name = ${displayName}, update_time = ${new Date()}
     where site_id = ${siteId} and id = ${id}`;
  await enqueue(tx, statement);
}

/** What the table computes is the same in the copy: no update here touches what it rests on. */
async function copyUsers({ db, siteId }: Place): Promise<void> {
  await db.acrossSites(sql`
    create table public.copied_users (like signet.users including all excluding generated)`);
  await db.acrossSites(sql`
    insert into public.copied_users select * from signet.users where site_id = ${siteId}`);
}

async function listIds({ db, siteId }: Place): Promise<UserId[]> {
  const { rows } = await db.acrossSites<{ id: UserId }>(sql`
    select id from signet.users where site_id = ${siteId} order by id`);
  return rows.map(({ id }) => id);
}
