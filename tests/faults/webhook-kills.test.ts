import { afterAll, expect, test } from "vitest";
import { openTestDatabase } from "../support/database.ts";
import { deliverUnderKills } from "../support/webhook-kills.ts";

const database = await openTestDatabase();
afterAll(() => database[Symbol.asyncDispose]());

test("10,000 events to a receiver that fails half the time, and 5 kill -9 of the worker", {
  timeout: 1_200_000,
}, async ({ annotate }) => {
  const run = await deliverUnderKills(database, { events: 10_000, kills: 5, timeoutMs: 300_000 });

  await annotate(`${run.requests} requests; ${run.repeats} accepted again after a kill`);
  expect(run).toMatchObject({ delivered: 10_000, undelivered: 0, disorder: 0, refusals: [] });
});
