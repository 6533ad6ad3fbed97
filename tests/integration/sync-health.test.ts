import type { QueryConfig, QueryResultRow } from "pg";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { numberChanges } from "../../src/domain/sync.ts";
import { createSyncHealthBoard } from "../../src/domain/sync-health.ts";
import { newId, type SiteId } from "../../src/model/id.ts";
import { type Queryable, sql } from "../../src/store/sql.ts";
import { countIdleUsers } from "../../src/store/sync-health.ts";
import { createBareSite } from "../support/bare-site.ts";
import { createChangeGenerator } from "../support/change-generator.ts";
import { openTestDatabase, runAsAdmin } from "../support/database.ts";
import { type HealthTrial, openHealthTrial } from "../support/health-trial.ts";

const database = await openTestDatabase();
afterAll(() => database[Symbol.asyncDispose]());
const { db, adminUrl } = database;

const DAY = 86_400_000;

let trial: HealthTrial;
beforeEach(async () => {
  trial = await openHealthTrial(db);
});

describe("the health of a Site", () => {
  test("is good while there is nothing", async () => {
    const health = await trial.examine();

    expect(health).toMatchObject({ verdict: "healthy", problems: [], sequencingDelayMs: 0 });
    expect(health.head).toMatchObject({ epoch: 1, position: 0, sums: { users: 0, xor: 0n } });
    expect(health.users).toEqual({ active: 0, invited: 0, disabled: 0, deleted: 0 });
  });

  test("counts Users by state, those in use by the sums of the head", async () => {
    const [first, second] = await trial.fill(5);
    if (first) await trial.generator.remove(first);
    await numberChanges(trial.deps);
    const set = `set session_replication_role = replica;
      update signet.users set state = 'disabled' where id = '${second}'`;
    await runAsAdmin(adminUrl, set);

    const { users, head } = await trial.examine();

    expect(users).toEqual({ active: 3, invited: 0, disabled: 1, deleted: 1 });
    expect(head.sums.users).toBe(4);
  });

  test("counts without a look at Users in use", async () => {
    await trial.fill(20);

    const plan = await db.inSite(trial.siteId, async (tx) => {
      await tx.query(sql`set local enable_seqscan = off`); // So few rows need no index.
      const rows: unknown[] = [];
      const explain: Queryable = {
        async query<Row extends QueryResultRow>(statement: QueryConfig) {
          const result = await tx.query<Row>({ ...statement, text: `explain ${statement.text}` });
          rows.push(...result.rows);
          return result;
        },
      };
      await countIdleUsers(explain, trial.siteId);
      return JSON.stringify(rows);
    });

    expect(plan).toContain("users_idle_states_idx");
  });

  test("tells how long the oldest Change has waited for its position", async () => {
    await trial.fill(1);
    await trial.generator.create();
    trial.shiftClock(10_000);

    const waiting = await trial.examine();
    await numberChanges(trial.deps);
    const numbered = await trial.examine();

    expect(waiting.sequencingDelayMs).toBeGreaterThanOrEqual(10_000);
    expect(waiting.verdict).toBe("degraded");
    expect(waiting.problems).toMatchObject([{ kind: "sequencing_delayed", subjectId: undefined }]);
    expect(numbered).toMatchObject({ verdict: "healthy", sequencingDelayMs: 0 });
  });

  test("tells of a Change that was still open when later ones got their positions", async () => {
    const release = Promise.withResolvers<void>();
    const written = Promise.withResolvers<void>();
    const hold = () => {
      written.resolve();
      return release.promise;
    };
    const held = trial.generator.create({ hold });
    await written.promise;
    await trial.fill(1);
    release.resolve();
    await held;
    trial.shiftClock(10_000);

    const waiting = await trial.examine();
    await numberChanges(trial.deps);

    expect(waiting.head.position).toBe(1);
    expect(waiting.sequencingDelayMs).toBeGreaterThanOrEqual(10_000);
    expect((await trial.examine()).sequencingDelayMs).toBe(0);
  });

  test("does not count another Site's Changes that wait", async () => {
    const other = await createBareSite(db);
    await createChangeGenerator(db, other).create();
    trial.shiftClock(DAY);

    expect((await trial.examine()).sequencingDelayMs).toBe(0);
    await numberChanges(trial.deps);
  });

  test("is found out once for all who ask within 2 s", async () => {
    const board = createSyncHealthBoard(trial.deps);

    const [first, ...others] = await Promise.all(
      Array.from({ length: 20 }, () => board.get(trial.siteId)),
    );

    for (const other of others) expect(other).toBe(first);
  });

  test("is not known of a Site that there is not", async () => {
    const nobodys = createSyncHealthBoard(trial.deps).get(newId<SiteId>());

    await expect(nobodys).rejects.toMatchObject({ reason: "site_not_found" });
  });
});
