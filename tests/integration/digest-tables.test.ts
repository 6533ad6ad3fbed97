import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Deps } from "../../src/domain/deps.ts";
import { createDigestTables, type DigestTables } from "../../src/domain/digests.ts";
import { currentHead } from "../../src/domain/sync.ts";
import { newId, type SiteId } from "../../src/model/id.ts";
import { createLeafSums, LEAVES } from "../../src/model/leaf-sums.ts";
import { LIMITS } from "../../src/model/limits.ts";
import { readDigests } from "../../src/store/digests.ts";
import { createBareSite } from "../support/bare-site.ts";
import { createChangeGenerator } from "../support/change-generator.ts";
import { recountHead } from "../support/change-race.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { until } from "../support/waiting.ts";

let database: TestDatabase;
let siteId: SiteId;
let gate: Gate;
let tables: DigestTables;

beforeAll(async () => {
  database = await openTestDatabase();
});

beforeEach(async () => {
  siteId = await createBareSite(database.db);
  gate = createGate(database);
  tables = createDigestTables(gate.deps);
});

afterAll(() => database[Symbol.asyncDispose]());

describe("the digest tables of a process", () => {
  test("hold every User of a Site that takes more than one chunk to read", async () => {
    const generator = createChangeGenerator(database.db, siteId);
    const ids = await generator.fill(LIMITS.digestChunkUsers + 10);
    for (const id of ids.slice(-20, -5)) await generator.remove(id);
    for (const id of ids.slice(0, 5)) await generator.update(id);

    const { leaves, position } = await tables.read(siteId, 0);

    const { sums, position: head } = await currentHead(gate.deps, siteId);
    const { kept, recounted } = await recountHead(database.adminUrl, siteId);
    expect(position).toBe(head);
    expect(leaves.sums(0, LEAVES)).toEqual(sums);
    expect(sums.users).toBe(ids.length - 15);
    expect(kept).toEqual(recounted);
  });

  test("are made once for all who ask together, and kept for the next question", async () => {
    await createChangeGenerator(database.db, siteId).fill(10);

    const together = await Promise.all([1, 2, 3, 4].map(() => tables.read(siteId, 5)));
    const later = await tables.read(siteId, 10);

    expect(new Set([...together, later]).size).toBe(1);
    expect(gate.scans()).toBe(1);
  });

  test("are made anew for a position that the one at hand has not", async () => {
    const generator = createChangeGenerator(database.db, siteId);
    await generator.fill(10);
    const first = await tables.read(siteId, 10);
    await generator.create();

    const [again, newer] = [await tables.read(siteId, 10), await tables.read(siteId, 11)];

    expect(again).toBe(first);
    expect(newer.position).toBe(11);
    expect(newer.leaves.sums(0, LEAVES).users).toBe(11);
  });

  test("never answer with a scan that began before the position that is asked for", async () => {
    const generator = createChangeGenerator(database.db, siteId);
    await generator.fill(10);
    gate.close();
    const early = tables.read(siteId, 0);
    await until(() => gate.scans() === 1);
    await generator.create();
    const late = tables.read(siteId, 11);
    gate.open();

    expect((await early).position).toBe(10);
    expect((await late).position).toBe(11);
    expect(gate.scans()).toBe(2);
  });

  test("are made for two Sites at once, and refused where too many wait", async () => {
    const waiting = LIMITS.digestScansMax + LIMITS.digestScansWaitingMax;
    const sites = Array.from({ length: waiting + 1 }, () => newId<SiteId>());
    const refusals: unknown[] = [];
    gate.close();

    const reads = sites.map((site) =>
      tables.read(site, 0).catch((error: unknown) => refusals.push(error)),
    );
    await until(() => refusals.length > 0);
    const scans = gate.scans();
    gate.open();
    await Promise.all(reads);

    expect(scans).toBeLessThanOrEqual(LIMITS.digestScansMax);
    expect(refusals).toMatchObject([{ reason: "overloaded", retryDelayMs: 5_000 }]);
    expect(await tables.read(siteId, 0)).toMatchObject({ position: 0 });
  });

  test("of an earlier epoch are not used", async () => {
    await createChangeGenerator(database.db, siteId).fill(3);
    const before = await tables.read(siteId, 0);
    await runAsAdmin(
      database.adminUrl,
      "update signet.change_state set system_identifier = system_identifier - 1",
    );

    const after = await tables.read(siteId, 0);

    expect(after.epoch).toBeGreaterThan(before.epoch);
    expect(after.leaves.sums(0, LEAVES)).toEqual(before.leaves.sums(0, LEAVES));
  });

  test("show another Site's Users to nobody, even by a statement that names it", async () => {
    const other = await createBareSite(database.db);
    await createChangeGenerator(database.db, siteId).fill(3);

    const chunk = await database.db.inSite(other, (tx) => readDigests(tx, siteId, { limit: 10 }));

    expect(chunk).toMatchObject({ last: undefined });
    expect(chunk.packed).toHaveLength(0);
  });
});

describe("LeafSums", () => {
  test("combines digests of all 64 bits without a sign", () => {
    const row = Buffer.alloc(24);
    row.writeUInt32BE(65_535, 0);
    row.writeBigUInt64BE(0xffff_ffff_ffff_fffen, 4);
    row.writeUInt32BE(65_535, 12);
    row.writeBigUInt64BE(0x7fff_ffff_0000_0001n, 16);

    const sums = createLeafSums();
    sums.add(row);

    expect(sums.sums(65_535, LEAVES)).toEqual({ users: 2, xor: 0x8000_0000_ffff_ffffn });
    expect(sums.sums(0, 65_535)).toEqual({ users: 0, xor: 0n });
  });
});

interface Gate {
  readonly deps: Deps;
  /** Scans that have begun. */
  scans(): number;
  close(): void;
  open(): void;
}

/** Counts what is read through the real database, and can hold up the chunks of scans. */
function createGate({ db }: TestDatabase): Gate {
  let scans = 0;
  let opened = Promise.withResolvers<void>();
  opened.resolve();
  const counted: Deps["db"] = {
    ...db,
    inSite: (site, work, options) =>
      db.inSite(
        site,
        (tx) =>
          work({
            async query(statement) {
              if (statement.text.includes("as packed")) {
                if (statement.values?.includes(FIRST_ID)) scans += 1;
                await opened.promise;
              }
              return await tx.query(statement);
            },
          }),
        options,
      ),
  };
  const used: Partial<Deps> = { db: counted };
  return {
    deps: used as Deps, // The tables use no more of it.
    scans: () => scans,
    close() {
      opened = Promise.withResolvers<void>();
    },
    open: () => opened.resolve(),
  };
}

const FIRST_ID = "00000000-0000-0000-0000-000000000000";
