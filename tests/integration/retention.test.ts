import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keepRetention } from "../../src/jobs/retention.ts";
import { newId, type SiteId, type UserId } from "../../src/model/id.ts";
import { newUser } from "../../src/model/user.ts";
import { encodeUser } from "../../src/rpc/convert-user.ts";
import { followChanges } from "../../src/store/changes.ts";
import { removeExpired, removeTombstones } from "../../src/store/retention.ts";
import type { Queryable } from "../../src/store/sql.ts";
import { firstVersion, insertUser } from "../../src/store/users.ts";
import { createBareSite } from "../support/bare-site.ts";
import { type ChangeGenerator, createChangeGenerator } from "../support/change-generator.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { silentLog } from "../support/postgres.ts";

const DAYS = 90;

let database: TestDatabase;
let across: Queryable;
let siteId: SiteId;
let generator: ChangeGenerator;

beforeAll(async () => {
  database = await openTestDatabase();
  across = { query: database.db.acrossSites };
  siteId = await createBareSite(database.db);
  generator = createChangeGenerator(database.db, siteId);
});

afterAll(() => database[Symbol.asyncDispose]());

describe("tombstones", () => {
  test("go when they are old, in batches, and living Users stay", async () => {
    const ids = await generator.fill(6);
    for (const id of ids.slice(0, 4)) await generator.remove(id);
    await step();
    await ageTombstones(ids.slice(0, 3), DAYS + 1);
    await ageTombstones(ids.slice(3, 4), DAYS - 1);

    const counts = [await remove(2), await remove(2), await remove(2)];

    expect(counts).toEqual([2, 1, 0]);
    expect(await listKept(ids)).toEqual(ids.slice(3).toSorted());
  });

  test("leave an id that can be used again, by a version above the last", async () => {
    const id = await generator.create();
    for (let n = 0; n < 5; n += 1) await generator.update(id);
    await generator.remove(id);
    await step();
    const last = await lastVersion();
    await ageTombstones([id], DAYS + 1);

    const removed = await remove(10);
    const version = await createAgain(id);

    expect(removed).toBe(1);
    expect(version).toBe(last + 1);
  });

  test("stay until the deletion is numbered, and so known to the next versions", async () => {
    const id = await generator.create();
    for (let n = 0; n < 50; n += 1) await generator.update(id);
    await step();
    await generator.remove(id);
    await ageTombstones([id], DAYS + 1);

    const before = await remove(10);
    await step();

    expect([before, await remove(10)]).toEqual([0, 1]);
  });
});

describe("what has expired", () => {
  test("goes once it is of no use, and what still counts stays", async () => {
    const userId = await generator.create();
    await insertExpiring(userId, "past", "interval '-8 days'");
    await insertExpiring(userId, "future", "interval '1 day'");

    for (let left = 1; left > 0; ) left = await removeExpired(across, { days: 7, limit: 2 });

    expect(await countExpiring()).toEqual({
      revocations: 1,
      tokens: 1,
      sessions: 1,
      refreshes: 3,
    });
  });

  test("goes with all else that is past its time in one run of the job", async () => {
    const id = await generator.create();
    await insertExpiring(id, "past", "interval '-8 days'");
    await generator.remove(id);
    await step();
    await ageTombstones([id], DAYS + 1);

    const retention = { changeDays: 7, changeRows: 10_000_000, tombstoneDays: DAYS };
    const first = await keepRetention(across, retention, silentLog);
    const second = await keepRetention(across, retention, silentLog);

    expect(first.partitions).toBe(0);
    expect(first.tombstones + second.tombstones).toBe(1);
    expect(first.expiredRows).toBe(6);
    expect(await listKept([id])).toEqual([]);
  });
});

async function step(): Promise<void> {
  while ((await followChanges(across, Number.MAX_SAFE_INTEGER, 1)).sequenced !== 0);
}

function remove(limit: number): Promise<number> {
  return removeTombstones(across, { days: DAYS, limit });
}

/** Past the triggers, which let nobody change a User without a Change. */
async function ageTombstones(ids: readonly UserId[], days: number): Promise<void> {
  await runAsAdmin(
    database.adminUrl,
    `set session_replication_role = replica;
     update signet.users set delete_time = delete_time - interval '${days} days'
      where id in (${ids.map((id) => `'${id}'`).join()})`,
  );
}

async function listKept(ids: readonly UserId[]): Promise<string[]> {
  const rows = await runAsAdmin<{ id: string }>(
    database.adminUrl,
    `select id from signet.users where id in (${ids.map((id) => `'${id}'`).join()}) order by id`,
  );
  return rows.map(({ id }) => id);
}

async function lastVersion(): Promise<number> {
  const statement = "select max(version)::integer as version from signet.users";
  const [row] = await runAsAdmin<{ version: number }>(database.adminUrl, statement);
  return row?.version ?? 0;
}

async function createAgain(id: UserId): Promise<number> {
  return await database.db.inSite(siteId, async (tx) => {
    const version = await firstVersion(tx, siteId);
    const user = newUser({ id, siteId, version, createTime: new Date(), displayName: "Again" });
    const change = { furtherKinds: [], body: encodeUser(user), bulk: false };
    await insertUser(tx, user, { kind: "user_created", ...change });
    return version;
  });
}

/** A revocation, a one-time token, and a Session with three refresh tokens. */
async function insertExpiring(userId: UserId, name: string, due: string): Promise<void> {
  const session = newId<UserId>();
  await runAsAdmin(
    database.adminUrl,
    `insert into signet.revocations (site_id, kind, subject_id, create_time, expire_time)
     values ('${siteId}', 'session_ended', '${session}', now(), now() + ${due});
     insert into signet.one_time_tokens
            (site_id, token_hash, user_id, purpose, email, create_time, expire_time)
     values ('${siteId}', '${name}${session}', '${userId}', 'verify_email', 'a@example.com', now(),
             now() + ${due});
     insert into signet.sessions
            (site_id, id, user_id, audiences, client_ip, client_user_agent, amr, auth_time,
             create_time, last_refresh_time, idle_expire_time, absolute_expire_time)
     values ('${siteId}', '${session}', '${userId}', '{}', '', '', '{pwd}', now(), now(), now(),
             now() + ${due}, now() + ${due});
     insert into signet.refresh_tokens (site_id, token_hash, session_id, create_time)
     select '${siteId}', ('${session}' || n)::bytea, '${session}', now()
       from generate_series(1, 3) as n`,
  );
}

async function countExpiring() {
  const [row] = await runAsAdmin(
    database.adminUrl,
    `select (select count(*)::integer from signet.revocations) as revocations,
            (select count(*)::integer from signet.one_time_tokens) as tokens,
            (select count(*)::integer from signet.sessions) as sessions,
            (select count(*)::integer from signet.refresh_tokens) as refreshes`,
  );
  return row;
}
