import { setTimeout as sleep } from "node:timers/promises";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SiteId, UserId } from "../../src/model/id.ts";
import { clientsOf } from "../support/builders.ts";
import { type ChangeGenerator, createChangeGenerator } from "../support/change-generator.ts";
import { listHeld } from "../support/change-race.ts";
import { runAsAdmin } from "../support/database.ts";
import { createFollower, type Follower } from "../support/follower.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { sumsOfRows } from "../support/site-sums.ts";
import { until } from "../support/waiting.ts";

const USERS = 20_000;
const WRITES_A_SECOND = 1_000;
const WRITES = 5_000;
const WRITERS = 16;

let service: SiteOnService;

beforeAll(async () => {
  service = await openSiteOnService();
});

afterAll(() => service[Symbol.asyncDispose]());

test("a snapshot amid 1,000 writes a second, deletions too, comes out identical", async ({
  signal,
}) => {
  const { database, site } = service;
  const generator = createChangeGenerator(database.db, site.siteId as SiteId);
  const ids = await generator.fill(USERS);
  const followers = openFollowers();
  let end = Number.POSITIVE_INFINITY;

  const writes = { done: 0, written: 0 };
  const writing = atMost(WRITES_A_SECOND, WRITES, async () => {
    if (await writeOnce(generator, ids)) writes.written += 1;
    writes.done += 1;
  });
  await until(() => writes.done > 200);
  const following = followers.map((follower) => follower.followTo(() => end, signal));
  await writing;
  end = USERS + writes.written;
  await Promise.all(following);

  const held = await listHeld(database.adminUrl, site.siteId);
  const sums = await readSums(site.siteId);
  for (const follower of followers) {
    expect(follower.faults).toEqual([]);
    expect(follower.streams()).toBe(1);
    expect(follower.overtaken()).toBeGreaterThan(0);
    expect(follower.compared()).toBeGreaterThan(0);
    expect(follower.mirror).toEqual(held);
    expect(sumsOfRows(follower.mirror)).toEqual(sums);
  }
  expect([...held.values()].filter(({ deleted }) => deleted).length).toBeGreaterThan(WRITES / 8);
});

/** Acts so often a second, or as often as 16 writers can on a machine that is slower. */
async function atMost(perSecond: number, times: number, act: () => Promise<void>): Promise<void> {
  const beginMs = performance.now();
  let begun = 0;
  const write = async () => {
    while (begun < times) {
      begun += 1;
      const waitMs = beginMs + (begun * 1_000) / perSecond - performance.now();
      if (waitMs > 1) await sleep(waitMs);
      await act();
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
}

function openFollowers(): Follower[] {
  const baseUrl = service.service.url;
  const transports = [
    createGrpcTransport({ baseUrl }),
    createConnectTransport({ baseUrl, httpVersion: "2" }),
  ];
  return transports.map((transport, n) =>
    createFollower([clientsOf(transport, service.site.key)], {
      clientId: `snapshot-${n}`,
      framesMax: Number.POSITIVE_INFINITY,
    }),
  );
}

/** A fifth are deletions, a fifth creations; tells whether there was something to do. */
async function writeOnce(generator: ChangeGenerator, ids: UserId[]): Promise<boolean> {
  const dice = Math.random();
  const n = Math.floor(Math.random() * ids.length);
  const [id] = dice < 0.2 ? ids.splice(n, 1) : ids.slice(n, n + 1);
  if (!id || dice > 0.8) {
    ids.push(await generator.create());
    return true;
  }
  return dice < 0.2 ? await generator.remove(id) : await generator.update(id);
}

async function readSums(siteId: string) {
  const [row] = await runAsAdmin<{ readonly users: string; readonly xor: string }>(
    service.database.adminUrl,
    `select users, xor from signet.site_heads where site_id = '${siteId}'`,
  );
  return { count: BigInt(row?.users ?? 0), xor: BigInt.asUintN(64, BigInt(row?.xor ?? 0)) };
}
