import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SiteSums, UserChange } from "../../src/model/change.ts";
import { newId, type SiteId, type UserId } from "../../src/model/id.ts";
import {
  appendNotice,
  findSiteHead,
  followChanges,
  listUserChanges,
  SEQUENCED_ROWS_MAX,
  sequenceChanges,
} from "../../src/store/changes.ts";
import { createBareSite } from "../support/bare-site.ts";
import { type ChangeGenerator, createChangeGenerator } from "../support/change-generator.ts";
import { recountHead } from "../support/change-race.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await openTestDatabase();
});

afterAll(() => database[Symbol.asyncDispose]());

describe("the sums of the log", () => {
  test("are those of a recount at every position, whoever numbers the changes", async () => {
    const siteIds = await Promise.all([1, 2, 3].map(() => createBareSite(database.db)));
    const ended = new AbortController();
    const racing = [1, 2, 3].map(() => keepNumbering(ended.signal));

    await Promise.all(siteIds.flatMap((siteId) => [1, 2, 3].map(() => writeAtRandom(siteId, 150))));
    ended.abort();
    await Promise.all(racing);
    await numberAll();

    for (const siteId of siteIds) await expectExact(siteId);
  });

  test("go on from one part of a backlog to the next, in several Sites at once", async () => {
    const siteIds = await Promise.all([createBareSite(database.db), createBareSite(database.db)]);
    const [first, second] = siteIds.map((siteId) => createChangeGenerator(database.db, siteId));
    await numberAll();
    const ids = await first?.fill(SEQUENCED_ROWS_MAX / 2);
    const others = await second?.fill(SEQUENCED_ROWS_MAX / 2 + 200);
    for (const id of ids?.slice(0, 30) ?? []) await first?.remove(id);
    for (const id of others?.slice(0, 30) ?? []) await second?.update(id);

    const counts = [await number(), await number()];

    expect(counts).toEqual([SEQUENCED_ROWS_MAX, 260]);
    for (const siteId of siteIds) await expectExact(siteId);
  });

  test("are absent in a row that was numbered before they were kept", async () => {
    const siteId = await createBareSite(database.db);
    await createChangeGenerator(database.db, siteId).create();
    await numberAll();
    await runAsAdmin(
      database.adminUrl,
      `update signet.changes set users = null, xor = null where site_id = '${siteId}'`,
    );

    const [change] = await changesOf(siteId);

    expect(change).toMatchObject({ position: 1 });
    expect(change?.sums).toBeUndefined();
  });

  test("of a Site without changes are none", async () => {
    const siteId = await createBareSite(database.db);

    expect((await headOf(siteId)).sums).toEqual({ users: 0, xor: 0n });
  });
});

async function expectExact(siteId: SiteId): Promise<void> {
  const changes = await changesOf(siteId);
  const head = await headOf(siteId);
  const { kept, recounted } = await recountHead(database.adminUrl, siteId);

  expect(changes.map(({ sums }) => sums)).toEqual(recountEach(changes));
  expect(head).toMatchObject({ position: changes.length, sums: changes.at(-1)?.sums });
  expect(kept).toEqual(recounted);
}

/** Adds up the digests anew, by the words of `change.proto` and not by those of the database. */
function recountEach(changes: readonly UserChange[]): SiteSums[] {
  const digests = new Map<UserId, bigint>();
  let xor = 0n;
  return changes.map(({ userId, version, kind }) => {
    xor ^= digests.get(userId) ?? 0n;
    digests.delete(userId);
    if (kind !== "user_deleted") digests.set(userId, digestOf(userId, version));
    xor ^= digests.get(userId) ?? 0n;
    return { users: digests.size, xor };
  });
}

function digestOf(userId: UserId, version: number): bigint {
  const bytes = Buffer.alloc(24);
  bytes.write(userId.replaceAll("-", ""), "hex");
  bytes.writeBigInt64BE(BigInt(version), 16);
  return createHash("sha256").update(bytes).digest().readBigUInt64BE();
}

/** Creates, changes and deletes Users of the Site, with notices between and some taken back. */
async function writeAtRandom(siteId: SiteId, count: number): Promise<void> {
  const generator: ChangeGenerator = createChangeGenerator(database.db, siteId);
  const ids: UserId[] = [];
  for (let n = 0; n < count; n += 1) {
    const dice = Math.random();
    const id = ids[Math.floor(Math.random() * ids.length)];
    if (!id || dice < 0.4) ids.push(await generator.create({ savepoint: dice < 0.1 }));
    else if (dice < 0.7) await generator.update(id);
    else if (dice < 0.85) await generator.remove(id);
    else if (dice < 0.9) await generator.create({ rollback: true });
    else await notice(siteId);
  }
}

async function notice(siteId: SiteId): Promise<void> {
  await database.db.inSite(siteId, (tx) =>
    appendNotice(tx, siteId, { kind: "site_changed", subjectId: newId<SiteId>() }, new Date()),
  );
}

async function keepNumbering(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await number();
    await sleep(Math.random() * 5);
  }
}

async function numberAll(): Promise<void> {
  while (!(await sequenceChanges({ query: database.db.acrossSites })));
}

async function number(): Promise<number> {
  const across = { query: database.db.acrossSites };
  return (await followChanges(across, Number.MAX_SAFE_INTEGER, 1)).sequenced;
}

function changesOf(siteId: SiteId): Promise<UserChange[]> {
  const page = { after: 0, limit: 2 * SEQUENCED_ROWS_MAX };
  return database.db.inSite(siteId, (tx) => listUserChanges(tx, siteId, page));
}

function headOf(siteId: SiteId) {
  return database.db.inSite(siteId, (tx) => findSiteHead(tx, siteId));
}
