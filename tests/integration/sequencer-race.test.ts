import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SiteId } from "../../src/model/id.ts";
import { grpcClients, openSite } from "../support/builders.ts";
import { listRaceFaults, runRace } from "../support/change-race.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { createServiceKeys, startService, type TestService } from "../support/service.ts";

let database: TestDatabase;
let services: TestService[];

beforeAll(async () => {
  database = await openTestDatabase();
  const options = { databaseUrl: database.appUrl, keys: createServiceKeys() };
  services = await Promise.all([startService(options), startService(options)]);
});

afterAll(async () => {
  await Promise.all(services.map((service) => service[Symbol.asyncDispose]()));
  await database[Symbol.asyncDispose]();
});

test("loses none of 5,000 changes, whatever order commits finish in", async ({ signal }) => {
  const { url = "", operatorKey = "" } = services[0] ?? {};
  const site = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
  const siteId = site.siteId as SiteId;
  const processes = services.map((service) => grpcClients(service.url, site.key));

  const result = await runRace({ database, siteId, processes, changes: 5_000, signal });

  expect(await listRaceFaults(database, siteId, result)).toEqual([]);
  expect(result.changes).toBeGreaterThanOrEqual(5_000);
  expect(Math.min(...result.followers.map(({ streams }) => streams()))).toBeGreaterThan(5);
});
