import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createChangeReader } from "../../src/domain/change-reader.ts";
import { createBareSite } from "../support/bare-site.ts";
import { createChangeGenerator } from "../support/change-generator.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { silentLog } from "../support/postgres.ts";
import { measureArrivals, noteArrivals, percentile } from "../support/read-changes.ts";

const PER_SECOND = 100;
const QUARTER_SECONDS = 15;
/** Far below what waiting for the snapshot would cost; the exact figure is for the bench. */
const P99_MS_MAX = 1_000;

let database: TestDatabase;

beforeAll(async () => {
  database = await openTestDatabase();
});

afterAll(() => database[Symbol.asyncDispose]());

test("a snapshot that is held for 60 s does not slow the sequencer down", async () => {
  const generator = createChangeGenerator(database.db, await createBareSite(database.db));
  await generator.fill(5);
  const reader = createChangeReader({ db: database.db, log: silentLog });
  const arrivals = noteArrivals(reader);
  await reader.start();
  const holder = new Client({ connectionString: database.adminUrl });
  await holder.connect();
  await holder.query("begin isolation level repeatable read; select from signet.users limit 1");

  const count = PER_SECOND * QUARTER_SECONDS;
  const quarters: number[][] = [];
  while (quarters.length < 4) {
    quarters.push(await measureArrivals({ reader, generator, arrivals }, PER_SECOND, count));
  }
  await holder.query("rollback");
  await holder.end();
  await reader.stop();

  expect(quarters.map((delays) => delays.length)).toEqual(Array(4).fill(count));
  // Dead rows pile up behind the snapshot meanwhile: no quarter may be the slower for it.
  const worst = quarters.map((delays) => percentile(delays, 0.99));
  expect(Math.max(...worst)).toBeLessThan(P99_MS_MAX);
});
