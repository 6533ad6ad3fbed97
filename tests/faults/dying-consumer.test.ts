import { Pool } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runDyingConsumer } from "../support/dying-consumer.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

const ROUNDS = 20;

let service: SiteOnService;
let pool: Pool;

beforeAll(async () => {
  service = await openSiteOnService();
  pool = new Pool({ connectionString: service.database.adminUrl });
});

afterAll(async () => {
  await pool.end();
  await service[Symbol.asyncDispose]();
});

test("an app that dies 60 times around a COMMIT heard of each User once", async () => {
  const { site, database } = service;
  const { url } = service.service;
  const databaseUrl = database.adminUrl;
  const trial = { ...site, url, users: site.backend.users, databaseUrl, pool };

  expect(await runDyingConsumer(trial, ROUNDS)).toEqual([]);
});
