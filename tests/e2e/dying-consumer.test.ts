import { Pool } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runDyingConsumer } from "../support/dying-consumer.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

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

test("an app that dies around a COMMIT has every User, and heard of each once", async () => {
  const { site, database } = service;
  const { url } = service.service;
  const databaseUrl = database.adminUrl;
  const trial = { ...site, url, users: site.backend.users, databaseUrl, pool };

  expect(await runDyingConsumer(trial, 2)).toEqual([]);
});
