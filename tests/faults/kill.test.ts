import { setTimeout as sleep } from "node:timers/promises";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { grpcClients, openSite, uniqueEmail } from "../support/builders.ts";
import { listHeld, recountHead } from "../support/change-race.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { createFollower } from "../support/follower.ts";
import { createServiceKeys, startService, type TestService } from "../support/service.ts";
import { until } from "../support/waiting.ts";

const KILLS = 5;
const WRITERS = 4;
const ROUND_MS_MAX = 30_000;

let database: TestDatabase;
let service: TestService;

beforeAll(async () => {
  database = await openTestDatabase();
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

test("loses no change when the service is killed at any moment", async ({ signal }) => {
  const options = { databaseUrl: database.appUrl, keys: createServiceKeys() };
  service = await startService(options);
  const { port, url, operatorKey } = service;
  const site = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
  const clients = grpcClients(url, site.key);
  const follower = createFollower([clients], { clientId: "follower", framesMax: 50 });
  let end = Number.POSITIVE_INFINITY;
  const following = follower.followTo(() => end, signal);
  const acknowledged = new Set<string>();
  let writing = true;
  const writers = Array.from({ length: WRITERS }, async () => {
    while (writing && !signal.aborted) {
      const { user } = await clients.users.createUser({ email: uniqueEmail() }).catch(pauseALittle);
      if (!user) continue;
      acknowledged.add(user.id);
      const change = { userId: user.id, displayName: "Ada" };
      await clients.users.updateUser(change).catch(pauseALittle);
    }
  });

  for (let kill = 0; kill < KILLS; kill += 1) {
    const enough = acknowledged.size + 20 + Math.random() * 40;
    await until(() => acknowledged.size >= enough, ROUND_MS_MAX);
    await service.stop("SIGKILL");
    service = await startService({ ...options, port });
  }
  await sleep(500);
  writing = false;
  await Promise.all(writers);
  end = await countChanges(site.siteId);
  await following;

  const held = await listHeld(database.adminUrl, site.siteId);
  const { kept, recounted } = await recountHead(database.adminUrl, site.siteId);
  expect(follower.faults).toEqual([]);
  expect(follower.mirror).toEqual(held);
  expect([...acknowledged].filter((id) => !held.has(id))).toEqual([]);
  expect(kept).toEqual(recounted);
});

/** What the service was doing when it was killed is not known to its client. */
async function pauseALittle() {
  await sleep(50);
  return { user: undefined };
}

/** Each change of a User is a version, and nothing else is. */
async function countChanges(siteId: string): Promise<number> {
  const [row] = await runAsAdmin<{ count: number }>(
    database.adminUrl,
    `select sum(version)::integer as count from signet.users where site_id = '${siteId}'`,
  );
  return row?.count ?? 0;
}
