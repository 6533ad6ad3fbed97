import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSignetClient, type SubscriptionItem } from "../../src/client/index.ts";
import { openSite, type TestSite, uniqueEmail } from "../support/builders.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { createServiceKeys, startService, type TestService } from "../support/service.ts";
import { until } from "../support/waiting.ts";

/** Two processes on one database, and one of them has lost it while the other one writes. */

const PATIENCE_MS = 60_000;

let database: TestDatabase;
let link: FaultProxy;
let sound: TestService;
let cutOff: TestService;
let site: TestSite;

beforeAll(async () => {
  database = await openTestDatabase();
  const url = new URL(database.appUrl);
  link = await startFaultProxy(Number(url.port));
  url.port = String(link.port);
  const keys = createServiceKeys();
  [sound, cutOff] = await Promise.all([
    startService({ databaseUrl: database.appUrl, keys }),
    startService({ databaseUrl: url.href, keys }),
  ]);
  site = await openSite(createGrpcTransport({ baseUrl: sound.url }), sound.operatorKey);
});

afterAll(async () => {
  await Promise.all([sound, cutOff].map((service) => service[Symbol.asyncDispose]()));
  await link[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

test("a subscriber of a process that is cut off does not take itself for current", async () => {
  const client = createSignetClient({ url: cutOff.url, key: site.key });
  const subscription = client.subscribe({ heartbeatSeconds: 1 });
  const items: SubscriptionItem[] = [];
  const statuses: string[] = [];
  const reading = Promise.all([
    (async () => {
      for await (const item of subscription) items.push(item);
    })(),
    (async () => {
      for await (const { type } of subscription.status) statuses.push(type);
    })(),
  ]);
  await until(() => statuses.at(-1) === "live", PATIENCE_MS);

  link.turn("black_hole");
  const { user } = await site.backend.users.createUser({ email: uniqueEmail() });
  await until(() => statuses.at(-1) === "reconnecting", PATIENCE_MS);
  await until(async () => (await fetch(`${cutOff.url}/readyz`)).status === 503);
  const missed = items.filter((item) => item.type === "changes");
  link.turn("sound");
  await until(() => items.some((item) => item.type === "changes"), PATIENCE_MS);
  client.close();
  await reading;

  const changes = items.flatMap((item) => (item.type === "changes" ? item.changes : []));
  expect(missed).toEqual([]);
  expect(changes.map((change) => change.user)).toEqual([user]);
});
