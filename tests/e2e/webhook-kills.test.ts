import { afterAll, expect, test } from "vitest";
import { openTestDatabase } from "../support/database.ts";
import { deliverUnderKills } from "../support/webhook-kills.ts";

const database = await openTestDatabase();
afterAll(() => database[Symbol.asyncDispose]());

test("a worker that is killed amid its attempts loses nothing and keeps the order", async () => {
  const run = await deliverUnderKills(database, { events: 400, kills: 2, timeoutMs: 50_000 });

  expect(run).toMatchObject({ delivered: 400, undelivered: 0, disorder: 0, refusals: [] });
});
